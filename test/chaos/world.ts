import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { hostBytes } from '../../core/root.ts'
import {
  type Ended,
  ORDINARY_USER,
  type RunOptions,
  type TestLifecycle,
  type TestPlace,
  testPlace,
} from '../../lifecycle/commands/testing/lifecycle.ts'
import { layoutImages } from '../../lifecycle/images/layout.ts'
import { builtProgram } from '../../native/testing/programs.ts'
import { digestOf } from '../../oci/digest.ts'
import type { Image, Repository } from '../../oci/image.ts'
import { readImage } from '../../oci/read-image.ts'
import { parseReference } from '../../oci/reference.ts'
import type { Registry } from '../../oci/registry/index.ts'
import { randomImage, validateImage } from '../../oci/testing/index.ts'
import { parseCacheMetadata } from '../../spec/labels/cache-metadata.ts'
import { parseToml } from '../../spec/toml/parse.ts'

/** Where a world keeps its image and its cache. */
export type Kind = 'registry' | 'cache image' | 'layout'

export type PhaseName = 'analyze' | 'detect' | 'restore' | 'build' | 'export' | 'rebase'

/** The phases of a build, in their order. */
export const BUILD: readonly PhaseName[] = ['analyze', 'detect', 'restore', 'build', 'export']

/** What the app, its layers and the run image of a rebase are: two of each, taken in turns, so that every run has work. */
export type Version = 'one' | 'two'
export const VERSIONS: readonly Version[] = ['one', 'two']

/** An app, its buildpacks, a place for its image and a cache; the phases as processes over them. */
export interface World {
  readonly place: TestPlace
  run(phase: PhaseName, version: Version, options?: RunOptions): Promise<Ended>
  /** All phases of a build in one process. */
  create(version: Version): Promise<Ended>
  /** Empties what a platform does not keep between builds. */
  emptyLayers(): void
  /** The image, after everything that it names was read and found right. */
  validImage(): Promise<Image>
  /** What is wrong with the files that phases leave, and with the cache. */
  damage(known: ReadonlySet<string>): readonly string[]
  /** The files of damage() as they are after a run that nobody disturbed. */
  files(): readonly string[]
}

/** Files between the phases; those of the restorer are not among them, because buildpacks write these too. */
const FILES = ['analyzed.toml', 'group.toml', 'plan.toml', 'config/metadata.toml', 'report.toml']

/** A layer for launch and cache, made anew where the app is another one, and one that is made in every build. */
const BUILD_PROGRAM = `
cd "$CNB_LAYERS_DIR"
version=$(cat "$OLDPWD/version")
if ! grep -qs "version = \\"$version\\"" deps.toml || [ ! -d deps/lib ]; then
  rm -rf deps deps.toml
  mkdir -p deps/lib deps/env
  for i in 1 2 3 4 5 6 7 8; do echo "$version $i" >deps/lib/file$i; done
  yes "$version" | head -c 1500000 >deps/lib/large
  ln -s file1 deps/lib/link
  printf '{"version":"%s"}' "$version" >deps.sbom.cdx.json
fi
printf '[types]\\nlaunch = true\\nbuild = true\\ncache = true\\n[metadata]\\nversion = "%s"\\n' "$version" >deps.toml
mkdir -p run && echo "$version" >run/version && printf '[types]\\nlaunch = true\\n' >run.toml
printf '{"app":"%s"}' "$version" >launch.sbom.cdx.json
printf '[metadata]\\nseen = "%s"\\n' "$version" >store.toml
printf '[[processes]]\\ntype = "web"\\ncommand = ["serve"]\\ndefault = true\\n[[slices]]\\npaths = ["static/*"]\\n' >launch.toml
`

const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch
let worlds = 0

export async function openWorld(
  kind: Kind,
  {
    lifecycle,
    registry,
    host,
  }: { readonly lifecycle: TestLifecycle; readonly registry: Registry; readonly host: string },
): Promise<World> {
  const place = testPlace(lifecycle)
  for (const name of ['cache', 'images']) {
    mkdirSync(place.path(name))
    chmodSync(place.path(name), 0o777)
  }
  const sbom = 'sbom-formats = ["application/vnd.cyclonedx+json"]\n'
  place.buildpack('a/deps', { toml: sbom, detect: PLAN, build: BUILD_PROGRAM })
  place.buildpack('a/other', { detect: 'exit 100' })
  place.order(['a/other', 'a/deps'], ['a/other?', 'a/deps'])
  copyFileSync(builtProgram('launcher'), place.path('launcher'))

  const name = `${host}/world${++worlds}`
  const images = layoutImages(place.path('images'))
  const repositoryOf = (reference: string): Repository => {
    const parsed = parseReference(reference)
    return kind === 'layout' ? images.repository(parsed) : registry.repository(parsed)
  }
  const runImages = { one: `${name}/run:one`, two: `${name}/run:two` }
  for (const version of VERSIONS) {
    await randomImage({
      repository: repositoryOf(runImages[version]),
      platform: { os: 'linux', architecture: ARCHITECTURE },
      seed: VERSIONS.indexOf(version) + 1,
      tags: [version],
      fileSize: 100_000,
    })
  }
  if (kind === 'layout') openToAll(place.path('images'))

  const layout = kind === 'layout' ? ['-layout', '-layout-dir', place.path('images')] : []
  const cache =
    kind === 'cache image' ? ['-cache-image', `${name}/cache`] : ['-cache-dir', place.path('cache')]
  const layers = ['-layers', place.path('layers')]
  const user = ['-uid', String(ORDINARY_USER), '-gid', String(ORDINARY_USER)]
  const app = ['-app', place.path('app'), '-launcher', place.path('launcher')]
  place.write('run.toml', `[[images]]\nimage = "${runImages.one}"\nmirrors = ["${runImages.two}"]\n`)
  const run = ['-run', place.path('run.toml')]
  const runImage = [...run, '-run-image', runImages.one]
  const flags: Readonly<Record<PhaseName, (version: Version) => readonly string[]>> = {
    analyze: () => [...layers, ...user, ...layout, ...runImage, name],
    detect: () => place.detectFlags,
    restore: () => [...layers, ...user, ...layout, ...cache, ...run],
    build: () => place.buildFlags,
    export: () => [...layers, ...user, ...layout, ...cache, ...app, ...run, name],
    rebase: (version) => [
      ...['-run-image', runImages[version], '-report', place.path('layers/report.toml')],
      ...[...user, name],
    ],
  }
  const env = { CNB_EXPERIMENTAL_MODE: 'quiet' }
  const write = (version: Version) => {
    place.write('app/version', version)
    place.write('app/static/page', `page of ${version}`)
  }
  const common = ['-log-format', 'json']
  return {
    place,
    run: (phase, version, options = {}) => {
      write(version)
      return lifecycle.run('lifecycle', [phase, ...common, ...flags[phase](version)], { env, ...options })
    },
    create: (version) => {
      write(version)
      const own = [...layers, ...user, ...layout, ...cache, ...app, ...place.detectFlags, ...runImage, name]
      return lifecycle.run('lifecycle', ['create', ...common, ...own], { env })
    },
    emptyLayers: () => {
      rmSync(place.path('layers'), { recursive: true, force: true })
      mkdirSync(place.path('layers'))
      chmodSync(place.path('layers'), 0o777)
    },
    validImage: async () => {
      const image = await readImage(repositoryOf(name), 'latest')
      if (image === undefined) throw new Error('there is no image')
      await validateImage(image)
      return image
    },
    damage: (known) => [
      ...presentFiles(place)
        .filter(({ text }) => !known.has(text))
        .map(({ file, text }) => `${file} is neither an old nor a new one:\n${text}`),
      ...(kind === 'cache image' ? [] : cacheDamage(place.path('cache/committed'))),
    ],
    files: () => presentFiles(place).map(({ text }) => text),
  }
}

const PLAN = `printf '[[provides]]\\nname = "deps"\\n[[requires]]\\nname = "deps"\\n' >"$2"`

function presentFiles(place: TestPlace): readonly { readonly file: string; readonly text: string }[] {
  return FILES.filter((file) => existsSync(place.path('layers', file))).map((file) => {
    const text = place.read(`layers/${file}`)
    parseToml(text, { file })
    return { file, text }
  })
}

/** A cache is whole when every tar is what its name says, and every layer that it tells of has its tar. */
function cacheDamage(committed: string): readonly string[] {
  if (!existsSync(committed)) return []
  const names = readdirSync(committed)
  const broken = names
    .filter((name) => name.endsWith('.tar'))
    .filter((name) => `${digestOf(readFileSync(join(committed, name)))}.tar` !== name)
    .map((name) => `${name} has other contents`)
  const file = join(committed, 'io.buildpacks.lifecycle.cache.metadata')
  if (!existsSync(file)) return broken
  const metadata = parseCacheMetadata(readFileSync(hostBytes(file), 'utf8'), { file })
  const shas = metadata.buildpacks.flatMap(({ layers }) => [...layers.values()].map(({ sha }) => sha))
  return [
    ...broken,
    ...[...shas, metadata.sbom.sha]
      .filter((sha) => sha !== '' && !names.includes(`${sha}.tar`))
      .map((sha) => `the tar of ${sha} is missing`),
  ]
}

function openToAll(directory: string): void {
  chmodSync(directory, 0o777)
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true }))
    chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o777 : 0o666)
}
