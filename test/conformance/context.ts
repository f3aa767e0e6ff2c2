import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import type { ExpectStatic } from 'vitest'
import { createHttpClient } from '../../core/http/index.ts'
import {
  type BuildpackParts,
  type Ended,
  ORDINARY_USER,
  type RunOptions,
  type TestLifecycle,
  type TestPlace,
  testLifecycle,
  testPlace,
} from '../../lifecycle/commands/testing/lifecycle.ts'
import { type Launch, launcherWorld } from '../../native/testing/launcher-world.ts'
import { builtProgram } from '../../native/testing/programs.ts'
import type { Image, ImageConfig } from '../../oci/image.ts'
import { imageLayers, readImage } from '../../oci/read-image.ts'
import { parseReference } from '../../oci/reference.ts'
import { createRegistry, type Registry } from '../../oci/registry/index.ts'
import { startTestRegistry, type TestRegistry } from '../../oci/registry/testing/server.ts'
import type { TarEntry } from '../../oci/tar/header.ts'
import { readEntries } from '../../oci/tar/testing/read-entries.ts'
import { randomImage } from '../../oci/testing/index.ts'
import { collect } from '../../oci/testing/temporary.ts'
import { isAtLeast, PASSWORD, USER } from './row.ts'

/** What the rows of one run share: the programs and registries. */
export interface Shared extends AsyncDisposable {
  readonly lifecycle: TestLifecycle
  /** The launcher's file. */
  readonly launcher: string
  readonly server: TestRegistry
  /** One that asks for `USER` and `PASSWORD`. */
  readonly guarded: TestRegistry
  readonly registry: Registry
}

/** Bundles the lifecycle and starts the registries. */
export async function openShared(): Promise<Shared> {
  const http = createHttpClient({})
  const lifecycle = await testLifecycle()
  const server = await startTestRegistry()
  const guarded = await startTestRegistry({ auth: { kind: 'basic', users: { [USER]: PASSWORD } } })
  return {
    lifecycle,
    launcher: builtProgram('launcher'),
    server,
    guarded,
    registry: createRegistry({ http, credentials: async () => undefined }),
    async [Symbol.asyncDispose]() {
      await http.close()
      await server.close()
      await guarded.close()
      lifecycle[Symbol.dispose]()
    },
  }
}

type Env = Readonly<Record<string, string | undefined>>

/** What a check works with: directories of its own, the phases as processes, one pair of API versions. */
export interface Context {
  readonly platformApi: string
  readonly buildpackApi: string
  readonly expect: ExpectStatic
  readonly place: TestPlace
  /** Where this check's images are: `127.0.0.1:PORT/NAMESPACE`. */
  readonly images: string
  readonly server: TestRegistry
  readonly guarded: TestRegistry
  readonly registry: Registry
  isPlatform(least: string): boolean
  isBuildpack(least: string): boolean
  run(command: string, args: readonly string[], options?: RunOptions): Promise<Ended>
  /** The phases with the flags that name this place's directories; `args` come last. */
  detect(args?: readonly string[], env?: Env): Promise<Ended>
  build(args?: readonly string[], env?: Env): Promise<Ended>
  restore(args?: readonly string[], env?: Env): Promise<Ended>
  analyze(args: readonly string[], env?: Env): Promise<Ended>
  export(args: readonly string[], env?: Env): Promise<Ended>
  create(args: readonly string[], env?: Env): Promise<Ended>
  /** Its report is `report.toml` of the place. */
  rebase(args: readonly string[], env?: Env): Promise<Ended>
  buildpack(id: string, parts: BuildpackParts): void
  order(...groups: readonly string[][]): void
  /** Writes group.toml, of this check's Buildpack API, and a plan where there is none. */
  group(...ids: readonly string[]): void
  /** IDs of group.toml. */
  detected(): readonly string[]
  /** Stores a run image and returns its reference. */
  runImage(name?: string, config?: ImageConfig['config']): Promise<string>
  /** analyzed.toml as the exporter needs it. */
  analyzed(runImage: string): Promise<void>
  image(name: string): Promise<Image>
  config(name: string): Promise<NonNullable<ImageConfig['config']>>
  label(name: string, key: string): Promise<Record<string, never>>
  /** The entries of an image's layers, lowest first. */
  entries(name: string): Promise<readonly (readonly { entry: TarEntry; data: Buffer }[])[]>
  launch(what: Launch): ReturnType<ReturnType<typeof launcherWorld>['launch']> & { readonly top: string }
}

let spaces = 0

/** Opens a place of its own for one run of a check. */
export function contextOf(
  shared: Shared,
  { platformApi, buildpackApi }: { platformApi: string; buildpackApi: string },
  expect: ExpectStatic,
): Context {
  const { lifecycle, launcher, server, guarded, registry } = shared
  const place = testPlace(lifecycle)
  for (const name of ['cache', 'layers/config']) {
    mkdirSync(place.path(name), { recursive: true })
    chmodSync(place.path(name), 0o777)
  }
  const images = `${server.host}/check${++spaces}`
  const isPlatform = (least: string) => isAtLeast(platformApi, least)
  const run: Context['run'] = (command, args, options = {}) =>
    lifecycle.run(command, args, { ...options, env: { CNB_PLATFORM_API: platformApi, ...options.env } })

  const layers = ['-layers', place.path('layers')]
  const user = ['-uid', String(ORDINARY_USER), '-gid', String(ORDINARY_USER)]
  const app = ['-app', place.path('app')]
  const buildFlags = [
    ...layers,
    ...app,
    ...['-platform', place.path('platform'), '-buildpacks', place.path('buildpacks')],
    ...(isPlatform('0.11') ? ['-build-config', place.path('config')] : []),
  ]
  const exportFlags = [...app, '-launcher', launcher]
  const detectFlags = [...buildFlags, '-order', place.path('order.toml')]
  const creatorFlags = [...layers, ...user, ...exportFlags, ...detectFlags, '-cache-dir', place.path('cache')]
  const phase =
    (command: string, flags: readonly string[]) =>
    (args: readonly string[] = [], env: Env = {}) =>
      run(command, [...flags, ...args], { env })

  const imageOf: Context['image'] = async (name) => {
    const reference = parseReference(`${images}/${name}`)
    const image = await readImage(registry.repository(reference), reference.tag ?? 'latest')
    if (image === undefined) throw new Error(`there is no ${name}`)
    return image
  }
  const configOf: Context['config'] = async (name) => (await imageOf(name)).config.config ?? {}

  const writePlan = () => {
    if (!existsSync(place.path('layers/plan.toml'))) place.write('layers/plan.toml', '')
  }
  return {
    platformApi,
    buildpackApi,
    expect,
    place,
    images,
    server,
    guarded,
    registry,
    isPlatform,
    isBuildpack: (least) => isAtLeast(buildpackApi, least),
    run,
    detect: phase('detector', detectFlags),
    build: phase('builder', buildFlags),
    restore: phase('restorer', [...layers, ...user]),
    analyze: phase('analyzer', [...layers, ...user]),
    export: phase('exporter', [...layers, ...user, ...exportFlags]),
    create: phase('creator', creatorFlags),
    rebase: phase('rebaser', ['-report', place.path('report.toml')]),
    buildpack: (id, parts) => place.buildpack(id, { api: buildpackApi, ...parts }),
    order: place.order,
    group(...ids) {
      const entry = (id: string) => `[[group]]\nid = "${id}"\nversion = "1.0.0"\napi = "${buildpackApi}"\n`
      place.write('layers/group.toml', ids.map(entry).join(''))
      writePlan()
    },
    detected: () =>
      [...place.read('layers/group.toml').matchAll(/^ *id = "(.*)"$/gm)].map(([, id]) => id ?? ''),
    async runImage(name = 'run', config = {}) {
      const reference = `${images}/${name}:base`
      await randomImage({
        repository: registry.repository(parseReference(reference)),
        platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch },
        tags: ['base'],
        config: { Env: ['PATH=/usr/bin:/bin'], ...config },
      })
      return reference
    },
    async analyzed(runImage) {
      const reference = parseReference(runImage)
      const image = await readImage(registry.repository(reference), reference.tag ?? 'latest')
      const name = runImage.slice(0, runImage.lastIndexOf(':'))
      place.write(
        'layers/analyzed.toml',
        `[run-image]\nreference = "${name}@${image?.digest}"\nimage = "${runImage}"\n`,
      )
    },
    image: imageOf,
    config: configOf,
    label: async (name, key) => JSON.parse((await configOf(name)).Labels?.[key] ?? 'null'),
    entries: async (name) => {
      const opened = imageLayers(await imageOf(name)).map((layer) => collect(layer.open()))
      return (await Promise.all(opened)).map((bytes) => readEntries(bytes))
    },
    launch(what) {
      using world = launcherWorld(launcher)
      return {
        ...world.launch({ ...what, env: { CNB_PLATFORM_API: platformApi, ...what.env } }),
        top: world.top,
      }
    },
  }
}

/** Names in a directory, in order. */
export const namesIn = (path: string): string[] => readdirSync(path).sort()
