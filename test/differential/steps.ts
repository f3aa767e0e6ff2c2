import type { TestPlace } from '../../lifecycle/commands/testing/lifecycle.ts'
import type { TestRegistry } from '../../oci/registry/testing/server.ts'
import type { MediaTypes } from '../../oci/write-image.ts'
import { LAYOUT_REGISTRY } from './layouts.ts'
import { GROUP, USER, type World } from './world.ts'

/** What both lifecycles go through. The name is that of its file in recorded/. */
export interface Scenario {
  readonly name: string
  readonly platformApi: string
  readonly world: World
  /** Docker's media types where absent: those of the reference. */
  readonly runImage?: MediaTypes
  readonly steps: readonly Step[]
}

export type Step =
  | {
      readonly phase: string
      readonly args: (place: TestPlace, registry: string) => readonly string[]
      readonly env?: Readonly<Record<string, string>>
    }
  /** What a person or the machine does between the phases. */
  | { readonly edit: (place: TestPlace, server: TestRegistry) => void | Promise<void> }

/** `15` of `0.15`. */
export const minor = (api: string) => Number(api.split('.')[1])

interface BuildOptions {
  readonly tags?: readonly string[]
  readonly processType?: string
  readonly env?: Readonly<Record<string, string>>
  /** The image of the build before; the first tag is looked up where absent. */
  readonly previous?: string
  /** The name of a cache image; a directory where absent, null for none. */
  readonly cacheImage?: string | null
  /** Images in OCI layouts. */
  readonly layout?: boolean
  /** The run image is looked for in run.toml. */
  readonly runFromFile?: boolean
}

/** Who owns what the phases make. */
export const as = ['-uid', String(USER), '-gid', String(GROUP)]
const layers = (place: TestPlace) => ['-layers', place.path('layers')]

type Args = (place: TestPlace, registry: string) => readonly string[]

/** The parts of command lines that follow from the options. */
function flagsOf(api: string, options: BuildOptions) {
  const { tags = ['app'], layout = false, cacheImage, previous } = options
  const nameOf = (registry: string, name: string) => `${layout ? LAYOUT_REGISTRY : registry}/${name}`
  return {
    env: { ...(layout ? { CNB_EXPERIMENTAL_MODE: 'warn' } : {}), ...options.env },
    where: ((place) => (layout ? ['-layout', '-layout-dir', place.path('images')] : [])) satisfies Args,
    run: ((place) =>
      minor(api) >= 12
        ? ['-run', place.path('run.toml')]
        : ['-stack', place.path('stack.toml')]) satisfies Args,
    runImage: ((_, registry) =>
      options.runFromFile === true ? [] : ['-run-image', nameOf(registry, 'run:base')]) satisfies Args,
    previous: ((_, registry) =>
      previous === undefined ? [] : ['-previous-image', nameOf(registry, previous)]) satisfies Args,
    cacheImage: ((_, registry) =>
      typeof cacheImage === 'string' ? ['-cache-image', `${registry}/${cacheImage}`] : []) satisfies Args,
    cache: ((place, registry) => {
      if (cacheImage === null) return []
      if (cacheImage === undefined) return ['-cache-dir', place.path('cache')]
      return ['-cache-image', `${registry}/${cacheImage}`]
    }) satisfies Args,
    names: (registry: string) => tags.map((tag) => nameOf(registry, tag)),
  }
}

/** The five phases one after the other, with all the inputs that the Platform API has. */
export function build(api: string, options: BuildOptions = {}): readonly Step[] {
  const { processType } = options
  const flags = flagsOf(api, options)
  const programs = (place: TestPlace) => [
    ...[...layers(place), '-app', place.path('app'), '-platform', place.path('platform')],
    ...['-buildpacks', place.path('buildpacks')],
    ...(minor(api) >= 11 ? ['-build-config', place.path('config')] : []),
  ]
  const step = (phase: string, args: Args): Step => ({ phase, args, env: flags.env })
  return [
    step('analyzer', (place, registry) => {
      const [first = '', ...others] = flags.names(registry)
      return [
        ...[...layers(place), ...flags.run(place), ...as, ...flags.runImage(place, registry)],
        ...[...flags.where(place), ...flags.previous(place, registry)],
        ...flags.cacheImage(place, registry),
        ...[...others.flatMap((name) => ['-tag', name]), first],
      ]
    }),
    step('detector', (place) => [...programs(place), '-order', place.path('order.toml')]),
    step('restorer', (place, registry) => [
      ...[...layers(place), ...as, ...flags.where(place), ...flags.cache(place, registry)],
    ]),
    step('builder', (place) => programs(place)),
    step('exporter', (place, registry) => [
      ...[...layers(place), ...flags.run(place), ...as, ...flags.where(place)],
      ...[...flags.cache(place, registry), '-app', place.path('app'), '-launcher', place.path('launcher')],
      ...(minor(api) >= 11 ? ['-launcher-sbom', place.path('sbom')] : []),
      ...['-project-metadata', place.path('project.toml')],
      ...(processType === undefined ? [] : ['-process-type', processType]),
      ...flags.names(registry),
    ]),
  ]
}

/** The whole of a build as one command. */
export function create(api: string, options: BuildOptions = {}): Step {
  const flags = flagsOf(api, options)
  return {
    phase: 'creator',
    env: flags.env,
    args: (place, registry) => {
      const [first = '', ...others] = flags.names(registry)
      return [
        ...[...layers(place), ...as, ...flags.runImage(place, registry), ...flags.run(place)],
        ...[...flags.where(place), '-app', place.path('app'), '-platform', place.path('platform')],
        ...['-buildpacks', place.path('buildpacks'), '-order', place.path('order.toml')],
        ...(minor(api) >= 11 ? ['-build-config', place.path('config')] : []),
        ...(minor(api) >= 11 ? ['-launcher-sbom', place.path('sbom')] : []),
        ...[...flags.cache(place, registry), '-launcher', place.path('launcher')],
        ...['-project-metadata', place.path('project.toml')],
        ...[...others.flatMap((name) => ['-tag', name]), first],
      ]
    },
  }
}
