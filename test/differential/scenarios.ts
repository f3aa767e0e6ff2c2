import { mkdirSync, rmSync } from 'node:fs'
import type { TestPlace } from '../../lifecycle/commands/testing/lifecycle.ts'
import type { MediaTypes } from '../../oci/write-image.ts'
import { EVERYTHING } from './everything.ts'
import { ADDING, extend, FAILING_EXTENSIONS, SWITCHING, tellRegistry } from './extensions.ts'
import { FAILING, NO_PROCESS, ONE, REUSING, TAKEN_BACK } from './small-worlds.ts'
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
  | { readonly edit: (place: TestPlace, registry: string) => void | Promise<void> }

const minor = (api: string) => Number(api.split('.')[1])

interface BuildOptions {
  readonly tags?: readonly string[]
  readonly processType?: string
  readonly env?: Readonly<Record<string, string>>
  /** The image of the build before; the first tag is looked up where absent. */
  readonly previous?: string
}

const as = ['-uid', String(USER), '-gid', String(GROUP)]
const layers = (place: TestPlace) => ['-layers', place.path('layers')]

/** The five phases one after the other, with all the inputs that the Platform API has. */
export function build(api: string, options: BuildOptions = {}): readonly Step[] {
  const { tags = ['app'], processType, env = {}, previous } = options
  const run = (place: TestPlace) =>
    minor(api) >= 12 ? ['-run', place.path('run.toml')] : ['-stack', place.path('stack.toml')]
  const programs = (place: TestPlace) => [
    ...[...layers(place), '-app', place.path('app'), '-platform', place.path('platform')],
    ...['-buildpacks', place.path('buildpacks')],
    ...(minor(api) >= 11 ? ['-build-config', place.path('config')] : []),
  ]
  const [first, ...others] = tags
  const step = (phase: string, args: (place: TestPlace, registry: string) => readonly string[]): Step => ({
    phase,
    args,
    env,
  })
  return [
    step('analyzer', (place, registry) => [
      ...[...layers(place), ...run(place), ...as, '-run-image', `${registry}/run:base`],
      ...(previous === undefined ? [] : ['-previous-image', `${registry}/${previous}`]),
      ...others.flatMap((tag) => ['-tag', `${registry}/${tag}`]),
      `${registry}/${first}`,
    ]),
    step('detector', (place) => [...programs(place), '-order', place.path('order.toml')]),
    step('restorer', (place) => [...layers(place), ...as, '-cache-dir', place.path('cache')]),
    step('builder', (place) => programs(place)),
    step('exporter', (place, registry) => [
      ...[...layers(place), ...run(place), ...as, '-cache-dir', place.path('cache')],
      ...['-app', place.path('app'), '-launcher', place.path('launcher')],
      ...(minor(api) >= 11 ? ['-launcher-sbom', place.path('sbom')] : []),
      ...['-project-metadata', place.path('project.toml')],
      ...(processType === undefined ? [] : ['-process-type', processType]),
      ...tags.map((tag) => `${registry}/${tag}`),
    ]),
  ]
}

/** The whole of a build as one command. */
export function create(api: string, options: BuildOptions = {}): Step {
  const { tags = ['app'], env = {} } = options
  const [first, ...others] = tags
  return {
    phase: 'creator',
    env,
    args: (place, registry) => [
      ...[...layers(place), ...as, '-run-image', `${registry}/run:base`],
      ...(minor(api) >= 12 ? ['-run', place.path('run.toml')] : ['-stack', place.path('stack.toml')]),
      ...['-app', place.path('app'), '-platform', place.path('platform')],
      ...['-buildpacks', place.path('buildpacks'), '-order', place.path('order.toml')],
      ...(minor(api) >= 11 ? ['-build-config', place.path('config')] : []),
      ...(minor(api) >= 11 ? ['-launcher-sbom', place.path('sbom')] : []),
      ...['-cache-dir', place.path('cache'), '-launcher', place.path('launcher')],
      ...['-project-metadata', place.path('project.toml')],
      ...others.flatMap((tag) => ['-tag', `${registry}/${tag}`]),
      `${registry}/${first}`,
    ],
  }
}

/** The layers directory of the next build is a new one, as in a new container; image and cache are what stays. */
const newLayers: Step = {
  edit: (place) => {
    rmSync(place.path('layers'), { recursive: true })
    mkdirSync(place.path('layers'))
  },
}

const change = (path: string, text: string): Step => ({ edit: (place) => place.write(path, text) })

const PLATFORM_APIS = ['0.7', '0.9', '0.10', '0.12', '0.13', '0.15']

const latest = (name: string, world: World, steps: readonly Step[]): Scenario => ({
  name,
  platformApi: '0.15',
  world,
  steps,
})

export const SCENARIOS: readonly Scenario[] = [
  ...PLATFORM_APIS.map((platformApi) => ({
    name: `everything-${platformApi}`,
    platformApi,
    world: EVERYTHING,
    steps: build(platformApi),
  })),
  {
    ...latest('on-an-oci-image', ONE, build('0.15')),
    runImage: 'oci',
  },
  latest('nothing-changed', EVERYTHING, [
    ...build('0.15'),
    newLayers,
    ...build('0.15', { tags: ['again'], previous: 'app' }),
  ]),
  ...['0.7', '0.12', '0.15'].map((platformApi) => ({
    name: `second-build-${platformApi}`,
    platformApi,
    world: REUSING,
    steps: [...build(platformApi), newLayers, change('app/changed.txt', 'now this\n'), ...build(platformApi)],
  })),
  ...['0.7', '0.12', '0.15'].map((platformApi) => ({
    name: `creator-${platformApi}`,
    platformApi,
    world: REUSING,
    steps: [
      create(platformApi),
      newLayers,
      create(platformApi, { tags: ['app', 'app:second', 'other:third'] }),
    ],
  })),
  latest('several-tags', ONE, build('0.15', { tags: ['app', 'app:second', 'other:third'] })),
  latest('process-type', ONE, build('0.15', { processType: 'worker' })),
  latest('process-type-unknown', ONE, build('0.15', { processType: 'nobody' })),
  latest('no-process', NO_PROCESS, build('0.15')),
  latest('default-taken-back', TAKEN_BACK, build('0.15')),
  latest('source-date-epoch', ONE, build('0.15', { env: { SOURCE_DATE_EPOCH: '1700000000' } })),
  latest('source-date-epoch-invalid', ONE, build('0.15', { env: { SOURCE_DATE_EPOCH: 'yesterday' } })),
  latest(
    'export-without-build',
    ONE,
    build('0.15').filter((step) => !('phase' in step && step.phase === 'builder')),
  ),
  ...Object.entries(FAILING).map(([name, world]) => latest(name, world, build('0.15'))),
  ...['0.10', '0.12', '0.13', '0.15'].map((platformApi) => ({
    name: `extensions-${platformApi}`,
    platformApi,
    world: SWITCHING,
    steps: [
      { edit: tellRegistry },
      ...build(platformApi, { env: minor(platformApi) < 13 ? { CNB_EXPERIMENTAL_MODE: 'warn' } : {} }),
    ],
  })),
  ...['0.12', '0.15'].map((platformApi) => ({
    name: `extended-${platformApi}`,
    platformApi,
    world: ADDING,
    // The restorer would write to /kaniko: that is not a place for tests.
    steps: build(platformApi, { env: { CNB_EXPERIMENTAL_MODE: 'quiet' } }).map((step) =>
      'phase' in step && step.phase === 'restorer' ? { edit: extend } : step,
    ),
  })),
  ...['unset', 'error'].map((mode) => ({
    name: `extensions-experimental-${mode}`,
    platformApi: '0.12',
    world: ADDING,
    steps: build('0.12', { env: mode === 'unset' ? {} : { CNB_EXPERIMENTAL_MODE: mode } }),
  })),
  latest('creator-with-extensions', ADDING, [create('0.15')]),
  ...Object.entries(FAILING_EXTENSIONS).map(([name, world]) => latest(name, world, build('0.15'))),
]
