import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { layoutImages } from '../../../lifecycle/images/layout.ts'
import type { Image } from '../../../oci/image.ts'
import { hostPlatform } from '../../../oci/platform.ts'
import { parseReference } from '../../../oci/reference.ts'
import { randomImage } from '../../../oci/testing/index.ts'
import type { Context } from '../context.ts'
import { type Check, platformsFrom } from '../row.ts'
import { layer } from './exported.ts'

const RUN = 'registry.example/team/run:base'
/** Experimental features are guarded by a requirement of their own. */
const QUIET = { CNB_EXPERIMENTAL_MODE: 'quiet' }

interface World {
  /** A path in the directory of layouts. */
  path(...parts: string[]): string
  readonly run: Image
  readonly flags: readonly string[]
}

/** A directory of layouts with a run image, and what the exporter finds after a build. */
async function world(context: Context): Promise<World> {
  const { place, group, buildpackApi } = context
  mkdirSync(place.path('images'))
  chmodSync(place.path('images'), 0o777)
  const { repository } = layoutImages(place.path('images'))
  const run = await randomImage({
    repository: repository(parseReference(RUN)),
    platform: hostPlatform(),
    tags: ['base'],
  })
  group('a/b')
  place.write(
    'layers/config/metadata.toml',
    `[[buildpacks]]\nid = "a/b"\nversion = "1.0.0"\napi = "${buildpackApi}"\n`,
  )
  place.write('app/server.js', 'listen()\n')
  return {
    run,
    path: (...parts) => place.path('images', ...parts),
    flags: ['-layout', '-layout-dir', place.path('images')],
  }
}

async function exported(context: Context, { flags }: World, ...images: string[]): Promise<void> {
  const analyzed = await context.analyze([...flags, '-run-image', RUN, images[0] ?? ''], QUIET)
  context.expect([analyzed.code, analyzed.stdout]).toEqual([0, context.expect.anything()])
  const ended = await context.export([...flags, ...images], QUIET)
  context.expect([ended.code, ended.stdout]).toEqual([0, context.expect.anything()])
}

const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))
const blob = (directory: string, digest: string) => json(directory, 'blobs', ...digest.split(':'))

/** cnb-spec §5.9 */
export const LAYOUT: readonly Check[] = [
  {
    id: 'A-7',
    title: 'with -layout a directory must be named, and run and previous image are looked up in it',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { analyze, place, expect } = context
      const it = await world(context)
      expect((await analyze(['-layout', '-run-image', RUN, 'app'], QUIET)).code).toBe(3)
      await exported(context, it, 'app')
      const first = place.read('layers/analyzed.toml')
      expect(first).toContain(`reference = "${it.path('registry.example/team/run/base')}@${it.run.digest}"`)
      expect(first).not.toContain('library/app')
      expect((await analyze([...it.flags, '-run-image', RUN, 'app'], QUIET)).code).toBe(0)
      expect(place.read('layers/analyzed.toml')).toContain(
        `reference = "${it.path('index.docker.io/library/app/latest')}@sha256:`,
      )
    },
  },
  {
    id: 'LO-1',
    title:
      'a name is the directory <registry>/<repository>/<tag>, with its defaults; a digest <algorithm>/<hex>',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const it = await world(context)
      for (const [name, path] of [
        ['app', 'index.docker.io/library/app/latest'],
        ['team/app:1', 'index.docker.io/team/app/1'],
        ['r.example:5000/a/b/c', 'r.example:5000/a/b/c/latest'],
      ] as const) {
        await exported(context, it, name)
        context.expect([name, existsSync(it.path(path, 'index.json'))]).toEqual([name, true])
      }
      const { repository } = layoutImages(context.place.path('images'))
      const byDigest = `${RUN.split(':')[0]}@${it.run.digest}`
      await randomImage({
        repository: repository(parseReference(byDigest)),
        platform: hostPlatform(),
        tags: [],
      })
      const ended = await context.analyze([...it.flags, '-run-image', byDigest, 'app'], QUIET)
      context.expect(ended.code).toBe(0)
      context
        .expect(context.place.read('layers/analyzed.toml'))
        .toContain(it.path('registry.example/team/run', ...it.run.digest.split(':')))
    },
  },
  {
    id: 'LO-2',
    title: 'the app image is an OCI image layout that names its tag',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { expect } = context
      const it = await world(context)
      layer(context, 'l', 'launch = true')
      await exported(context, it, 'app:one', 'app:two')
      const directory = it.path('index.docker.io/library/app/one')
      expect(json(directory, 'oci-layout')).toEqual({ imageLayoutVersion: '1.0.0' })
      const [described] = json(directory, 'index.json').manifests
      expect(described.annotations['org.opencontainers.image.ref.name']).toBe('one')
      const manifest = blob(directory, described.digest)
      const config = blob(directory, manifest.config.digest)
      expect(config.rootfs.diff_ids).toHaveLength(manifest.layers.length)
      expect(config.rootfs.diff_ids).toEqual(expect.arrayContaining([...it.run.config.rootfs.diff_ids]))
      const [other] = json(it.path('index.docker.io/library/app/two'), 'index.json').manifests
      expect(other.digest).toBe(described.digest)
      expect(context.place.read('layers/report.toml')).toContain(`tags = ["${directory}", "`)
    },
  },
  {
    id: 'LO-3',
    title: 'the layers of the run image need not be there',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { expect } = context
      const it = await world(context)
      const sparse = it.path('registry.example/team/run/base/blobs/sha256')
      const blobs = new Set(it.run.manifest.layers.map(({ digest }) => digest.slice('sha256:'.length)))
      for (const name of readdirSync(sparse)) if (blobs.has(name)) rmSync(join(sparse, name))
      await exported(context, it, 'app')
      const directory = it.path('index.docker.io/library/app/latest')
      const [{ digest }] = json(directory, 'index.json').manifests
      const layers = blob(directory, digest).layers.map((entry: { digest: string }) => entry.digest)
      expect(layers).toEqual(expect.arrayContaining(it.run.manifest.layers.map((entry) => entry.digest)))
    },
  },
]
