import { symlinkSync } from 'node:fs'
import { ORDINARY_USER } from '../../../lifecycle/commands/testing/lifecycle.ts'
import type { Context } from '../context.ts'
import { type Check, platformsFrom } from '../row.ts'
import { layer, prepare } from './exported.ts'

const metadataOf = (context: Context, name: string) =>
  context.label(name, 'io.buildpacks.lifecycle.metadata') as Promise<Record<string, never>>

/** Exports `app` and requires that it worked. */
async function exported(context: Context, args: readonly string[] = [], env: Record<string, string> = {}) {
  const ended = await context.export([...args, `${context.images}/app`], env)
  context.expect(`${ended.code} ${ended.code === 0 ? '' : ended.stdout}`).toBe('0 ')
  return ended
}

/** Names of a layer's entries below the place. */
async function namesOf(context: Context, index: number): Promise<string[]> {
  const entries = (await context.entries('app')).at(index) ?? []
  return entries
    .map(({ entry }) => entry.name.replace(context.place.directory, ''))
    .filter((name) => name !== '')
}

/** cnb-spec §5.1 to §5.4, §5.8, §5.10 */
export const EXPORT: readonly Check[] = [
  {
    id: 'EX-1',
    title: 'the run image’s layers are the lowest, and its configuration is kept',
    async run(context) {
      await prepare(context, {
        runConfig: { Env: ['PATH=/bin', 'KEPT=1'], User: '1001:1002', Labels: { kept: 'yes' } },
      })
      await exported(context)
      const app = await context.image('app')
      const run = await context.image('run:base')
      const { expect } = context
      expect(app.config.rootfs.diff_ids.slice(0, 2)).toEqual(run.config.rootfs.diff_ids)
      expect(app.config.config?.Env).toContain('KEPT=1')
      expect(app.config.config?.Labels?.kept).toBe('yes')
      expect(app.config.config?.User).toBe('1001:1002')
    },
  },
  {
    id: 'EX-2',
    title: 'layers from below: run image, layers by name, SBOM, app, launcher, configuration, process types',
    async run(context) {
      await prepare(context)
      for (const name of ['b', 'a']) layer(context, name, 'launch = true')
      layer(context, 'not', 'build = true')
      context.place.write('layers/sbom/launch/a_b/sbom.cdx.json', '{}')
      await exported(context)
      const all = await context.entries('app')
      const marks = [
        '/layers/a_b/a/file',
        '/layers/a_b/b/file',
        '/layers/sbom/launch',
        '/app/server.js',
        '/cnb/lifecycle/launcher',
        '/layers/config/metadata.toml',
        '/cnb/process/web',
      ]
      const isKnown = context.isPlatform('0.8')
      const expected = marks.filter((mark) => isKnown || !mark.includes('sbom'))
      context.expect(all).toHaveLength(2 + expected.length)
      for (const [index, mark] of expected.entries())
        context.expect(await namesOf(context, 2 + index)).toContain(mark)
    },
  },
  {
    id: 'EX-3',
    title: 'the history says what made each layer, from P 0.12 on',
    platformApis: platformsFrom('0.11'),
    async run(context) {
      await prepare(context)
      layer(context, 'l', 'launch = true')
      await exported(context)
      const { history = [] } = (await context.image('app')).config
      const made = history.slice(2).map((entry) => entry.created_by ?? '')
      const said = [
        "Layer: 'l', Created by buildpack: a/b@1.0.0",
        'Application Layer',
        'Buildpacks Application Launcher',
        'Buildpacks Launcher Config',
        'Buildpacks Process Types',
      ]
      const withoutSbom = made.filter((text) => text !== 'Software Bill-of-Materials')
      if (context.isPlatform('0.12')) context.expect(withoutSbom).toEqual(said)
      else context.expect(made.join('')).toBe('')
    },
  },
  {
    id: 'TR-1',
    title:
      'absolute names without trailing slash, parents first; the layer is the user’s, its parents are not changed',
    async run(context) {
      await prepare(context)
      layer(context, 'l', 'launch = true')
      await exported(context)
      const entries = (await context.entries('app'))[2] ?? []
      const at = context.place.path('layers/a_b/l')
      const names = entries.map(({ entry }) => entry.name)
      const { expect } = context
      expect(names.slice(-2)).toEqual([at, `${at}/file`])
      expect(names.slice(0, -2)).toEqual(
        at
          .split('/')
          .slice(1, -1)
          .map((_, index, parts) => `/${parts.slice(0, index + 1).join('/')}`),
      )
      const owners = entries.map(({ entry }) => entry.uid)
      expect(owners.slice(-2)).toEqual([ORDINARY_USER, ORDINARY_USER])
      expect(owners[0]).toBe(0)
    },
  },
  {
    id: 'TR-2',
    title: 'every entry is of 1980-01-01T00:00:01Z, whatever SOURCE_DATE_EPOCH; links stay as they are',
    async run(context) {
      await prepare(context)
      layer(context, 'l', 'launch = true')
      symlinkSync('../elsewhere', context.place.path('layers/a_b/l/link'))
      await exported(context, [], { SOURCE_DATE_EPOCH: '1700000000' })
      const entries = (await context.entries('app')).slice(2).flat()
      context.expect([...new Set(entries.map(({ entry }) => entry.mtime))]).toEqual([315_532_801])
      const link = entries.find(({ entry }) => entry.name.endsWith('/link'))?.entry
      context.expect(link).toMatchObject({ type: 'symlink', linkname: '../elsewhere' })
    },
  },
  {
    id: 'TR-3',
    title: 'a layer is known by the digest of its uncompressed tar, in the label and in the cache',
    async run(context) {
      await prepare(context)
      layer(context, 'l', 'launch = true\ncache = true')
      await exported(context, ['-cache-dir', context.place.path('cache')])
      const app = await context.image('app')
      const label = JSON.stringify(await metadataOf(context, 'app'))
      const [, , diffId] = app.config.rootfs.diff_ids
      context.expect(label).toContain(`"l":{"sha":"${diffId}"`)
      const cached = context.place.read('cache/committed/io.buildpacks.lifecycle.cache.metadata')
      context.expect(cached).toContain(`${diffId}`)
    },
  },
  {
    id: 'TR-4',
    title: 'the launcher’s layer: /cnb, /cnb/lifecycle and the program, all root’s',
    async run(context) {
      await prepare(context)
      await exported(context)
      const entries = (await context.entries('app')).at(-3) ?? []
      context
        .expect(entries.map(({ entry }) => [entry.name, entry.mode & 0o777, entry.uid, entry.gid]))
        .toEqual([
          ['/cnb', 0o755, 0, 0],
          ['/cnb/lifecycle', 0o755, 0, 0],
          ['/cnb/lifecycle/launcher', 0o755, 0, 0],
        ])
    },
  },
  {
    id: 'TR-5',
    title: 'a link to the launcher per process type, by type; no layer without processes',
    async run(context) {
      await prepare(context, { processes: ['another', 'web'] })
      await exported(context)
      const entries = (await context.entries('app')).at(-1) ?? []
      context
        .expect(entries.map(({ entry }) => [entry.name, 'linkname' in entry && entry.linkname]))
        .toEqual([
          ['/cnb', false],
          ['/cnb/process', false],
          ['/cnb/process/another', '/cnb/lifecycle/launcher'],
          ['/cnb/process/web', '/cnb/lifecycle/launcher'],
        ])
      await prepare(context, { processes: [] })
      await exported(context)
      context.expect((await namesOf(context, -1)).join(' ')).not.toContain('/cnb/process')
    },
  },
  {
    id: 'AS-1',
    title:
      'n slices make n + 1 app layers; a file is in the first that matches; an empty slice is a layer too',
    async run(context) {
      await prepare(context, {
        metadata: '[[slices]]\npaths = ["*.txt"]\n[[slices]]\npaths = ["a.txt", "gone"]\n',
      })
      context.place.write('app/a.txt', 'a')
      await exported(context)
      const label = (await metadataOf(context, 'app')) as unknown as { app: unknown[] }
      context.expect(label.app).toHaveLength(3)
      const app = await Promise.all([-6, -5, -4].map((index) => namesOf(context, index)))
      context.expect(app.map((names) => names.includes('/app/a.txt'))).toEqual([true, false, false])
      context.expect(app.map((names) => names.includes('/app/server.js'))).toEqual([false, false, true])
    },
  },
  {
    id: 'AS-2',
    title:
      'globs are relative to the app; a directory is taken whole; `*` does not cross `/`; `..` matches nothing',
    async run(context) {
      await prepare(context, { metadata: '[[slices]]\npaths = ["*.js", "dir", "../layers/*", "d[a-c]t"]\n' })
      for (const path of ['sub/x.js', 'dir/deep/file', 'dbt']) context.place.write(`app/${path}`, path)
      await exported(context)
      const names = await namesOf(context, -5)
      context
        .expect(names)
        .toEqual(context.expect.arrayContaining(['/app/server.js', '/app/dir/deep/file', '/app/dbt']))
      context.expect(names.join(' ')).not.toMatch(/x\.js|layers/)
    },
  },
  {
    id: 'AS-3',
    title: 'a slice has the parents of its files',
    async run(context) {
      await prepare(context, { metadata: '[[slices]]\npaths = ["a/b/file"]\n' })
      context.place.write('app/a/b/file', 'x')
      await exported(context)
      const names = await namesOf(context, -5)
      context.expect(names.slice(-4)).toEqual(['/app', '/app/a', '/app/a/b', '/app/a/b/file'])
    },
  },
  {
    id: 'RU-1',
    title:
      'a launch layer that is not there must be in the previous image, and a cached one must be there: else 62',
    async run(context) {
      await prepare(context)
      layer(context, 'l', 'launch = true', '')
      const missing = await context.export([`${context.images}/app`])
      context.expect(missing.code).toBe(62)
      layer(context, 'l', 'launch = true\ncache = true', '')
      const cached = await context.export([`${context.images}/app`])
      context.expect(cached.stdout).toContain('is cache=true but has no contents')
      context.expect(cached.code).toBe(62)
    },
  },
  {
    id: 'RU-2',
    title: 'the same inputs again: every layer is reused, and the digest is the same',
    async run(context) {
      await prepare(context)
      layer(context, 'l', 'launch = true')
      const first = await exported(context)
      context.expect(first.stdout).toContain("Adding layer 'a/b:l'")
      context.expect(first.stdout).toContain('Added 1/1 app layer(s)')
      const { digest } = await context.image('app')
      const run = context.place.read('layers/analyzed.toml')
      await context.analyze(['-run-image', `${context.images}/run:base`, `${context.images}/app`])
      const again = await exported(context)
      for (const text of [
        "Reusing layer 'a/b:l'",
        'Reused 1/1 app layer(s)',
        "Reusing layer 'buildpacksio/lifecycle:launcher'",
      ])
        context.expect(again.stdout).toContain(text)
      context.expect((await context.image('app')).digest).toBe(digest)
      context.expect(run).not.toBe('')
    },
  },
  {
    id: 'RU-3',
    title: 'a <layer>.toml that is no TOML is 62',
    async run(context) {
      await prepare(context)
      context.place.write('layers/a_b/l.toml', '[types')
      const ended = await context.export([`${context.images}/app`])
      context.expect(ended.stdout).toContain('failed to parse metadata for layers')
      context.expect(ended.code).toBe(62)
    },
  },
  {
    id: 'SV-1',
    title: 'the same image under every name',
    async run(context) {
      await prepare(context)
      await exported(context, [`${context.images}/app:other`])
      context.expect((await context.image('app:other')).digest).toBe((await context.image('app')).digest)
    },
  },
  {
    id: 'SV-2',
    title: 'report.toml has the names, the digest and the manifest’s size',
    async run(context) {
      await prepare(context)
      await exported(context, [`${context.images}/app:other`])
      const app = await context.image('app')
      const report = context.place.read('layers/report.toml')
      context.expect(report).toContain(`digest = "${app.digest}"`)
      context.expect(report).toContain(`manifest-size = ${app.manifestBytes.length}\n`)
      context.expect(report).toContain(`${context.images}/app:other`)
    },
  },
  {
    id: 'SV-4',
    title: 'the same inputs make the same image, in another place of the registry too',
    async run(context) {
      await prepare(context)
      layer(context, 'l', 'launch = true')
      await exported(context)
      context.expect((await context.export([`${context.images}/again`])).code).toBe(0)
      context.expect((await context.image('again')).digest).toBe((await context.image('app')).digest)
    },
  },
  {
    id: 'CA-1',
    title:
      'cached layers are stored; one without contents is a warning, and so is a cache that cannot be written',
    async run(context) {
      await prepare(context)
      layer(context, 'c', 'cache = true')
      layer(context, 'empty', 'cache = true', '')
      const ended = await exported(context, ['-cache-dir', context.place.path('cache')])
      context.expect(ended.stdout).toContain("Adding cache layer 'a/b:c'")
      context.expect(ended.stdout).toContain('Warning: ')
    },
  },
  {
    id: 'CA-2',
    title: 'the cache’s metadata: buildpacks with their cached layers, digests, data and types',
    async run(context) {
      await prepare(context)
      layer(context, 'c', 'cache = true')
      layer(context, 'l', 'launch = true')
      await exported(context, ['-cache-dir', context.place.path('cache')])
      const text = context.place.read('cache/committed/io.buildpacks.lifecycle.cache.metadata')
      context.expect(JSON.parse(text)).toMatchObject({
        buildpacks: [
          {
            key: 'a/b',
            version: '1.0.0',
            layers: { c: { data: { v: 1 }, build: false, launch: false, cache: true } },
          },
        ],
      })
    },
  },
  {
    id: 'CA-3',
    title: 'a cache directory holds committed/<digest>.tar of the layers’ own bytes',
    async run(context) {
      await prepare(context)
      layer(context, 'both', 'cache = true\nlaunch = true')
      await exported(context, ['-cache-dir', context.place.path('cache')])
      const [, , diffId] = (await context.image('app')).config.rootfs.diff_ids
      context.expect(context.place.read(`cache/committed/${diffId}.tar`)).toContain('both')
    },
  },
]
