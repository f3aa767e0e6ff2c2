import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ended } from '../../lifecycle/commands/testing/lifecycle.ts'
import { startTestRegistry } from '../../oci/registry/testing/server.ts'
import { type Context, contextOf, openShared, type Shared } from '../conformance/context.ts'
import { NEWEST_BUILDPACK_API, NEWEST_PLATFORM_API } from '../conformance/row.ts'
import { layer, prepare } from '../conformance/rows/exported.ts'

/** What nobody means to hand a phase: each gets the specification's exit code and one line that names the file. */

let shared: Shared
beforeAll(async () => {
  shared = await openShared()
})
afterAll(() => shared[Symbol.asyncDispose]())

interface Case {
  readonly name: string
  readonly platformApi?: string
  prepare(context: Context): void | Promise<void>
  run(context: Context): Promise<Ended>
  readonly code: number
  /** In the line of the error. */
  readonly says: RegExp
  /** What must hold of the place afterwards. */
  check?(context: Context): void
}

const NO_TOML = '[broken\n'
const detected = (context: Context) => {
  context.buildpack('a/b', { detect: 'exit 0', build: 'true' })
  context.order(['a/b'])
}
const built = (build: string) => (context: Context) => {
  context.buildpack('a/b', { build: `cd "$1"; ${build}` })
  context.group('a/b')
}
const app = (context: Context) => `${context.images}/app`
const detect = (context: Context) => context.detect()
const build = (context: Context) => context.build()
const restore = (context: Context) => context.restore()
const exported = (context: Context) => context.export([app(context)])
/** A file of the place that is no TOML, where all else is as it should be. */
const broken =
  (file: string, before: (context: Context) => void | Promise<void> = () => {}) =>
  async (context: Context) => {
    await before(context)
    context.place.write(file, NO_TOML)
  }

const MALFORMED: readonly Case[] = [
  { name: 'order.toml', prepare: broken('order.toml'), run: detect, code: 1, says: /order\.toml:1/ },
  {
    name: 'system.toml',
    prepare: broken('system.toml', detected),
    run: (context) => context.detect(['-system', context.place.path('system.toml')]),
    code: 1,
    says: /system\.toml:1/,
  },
  {
    name: 'buildpack.toml',
    prepare: broken('buildpacks/a_b/1.0.0/buildpack.toml', detected),
    run: detect,
    code: 1,
    says: /buildpack\.toml:1/,
  },
  {
    name: 'analyzed.toml, for the detector',
    prepare: broken('layers/analyzed.toml', detected),
    run: detect,
    code: 1,
    says: /analyzed\.toml:1/,
  },
  {
    name: 'analyzed.toml, for the exporter',
    prepare: broken('layers/analyzed.toml', prepare),
    run: exported,
    code: 1,
    says: /analyzed\.toml:1/,
  },
  {
    name: 'run.toml',
    prepare: broken('run.toml'),
    run: (context) => context.analyze(['-run', context.place.path('run.toml'), app(context)]),
    code: 1,
    says: /run\.toml:1/,
  },
  {
    name: 'stack.toml',
    platformApi: '0.11',
    prepare: broken('stack.toml'),
    run: (context) => context.analyze(['-stack', context.place.path('stack.toml'), app(context)]),
    code: 1,
    says: /stack\.toml:1/,
  },
  {
    name: 'group.toml',
    prepare: broken('layers/group.toml', built('true')),
    run: build,
    code: 1,
    says: /group\.toml:1/,
  },
  {
    name: 'group.toml, for the restorer',
    prepare: broken('layers/group.toml'),
    run: restore,
    code: 1,
    says: /group\.toml:1/,
  },
  {
    name: 'plan.toml',
    prepare: broken('layers/plan.toml', built('true')),
    run: build,
    code: 1,
    says: /plan\.toml:1/,
  },
  {
    name: 'metadata.toml',
    prepare: broken('layers/config/metadata.toml', prepare),
    run: exported,
    code: 1,
    says: /metadata\.toml:1/,
  },
  {
    name: 'project-metadata.toml',
    prepare: broken('layers/project-metadata.toml', prepare),
    run: exported,
    code: 1,
    says: /project-metadata\.toml:1/,
  },
  {
    name: '<layer>.toml, for the exporter',
    prepare: broken('layers/a_b/l.toml', prepare),
    run: exported,
    code: 62,
    says: /l\.toml:1|a\/b:l/,
  },
  {
    name: 'store.toml',
    prepare: broken('layers/a_b/store.toml', prepare),
    run: exported,
    code: 62,
    says: /store\.toml:1/,
  },
  ...['launch.toml', 'build.toml', 'l.toml'].map(
    (file): Case => ({
      name: `${file}, written by bin/build`,
      prepare: built(`echo "[broken" >${file}`),
      run: build,
      code: 52,
      says: new RegExp(`${file}:1`.replace('.', '\\.')),
    }),
  ),
  {
    name: 'a build plan, written by bin/detect',
    prepare: (context) => {
      context.buildpack('a/b', { detect: 'echo "[broken" >"$2"' })
      context.order(['a/b'])
    },
    run: detect,
    code: 21,
    says: /buildpack\(s\) failed with err/,
  },
]

const MISSING: readonly Case[] = [
  {
    name: 'no group for the exporter',
    prepare: () => {},
    run: exported,
    code: 1,
    says: /group\.toml/,
  },
  {
    name: 'no metadata.toml',
    prepare: async (context) => {
      context.group('a/b')
      await context.analyzed(await context.runImage())
    },
    run: exported,
    code: 1,
    says: /metadata\.toml/,
  },
  {
    name: 'no launcher',
    prepare,
    run: (context) => context.export(['-launcher', context.place.path('none'), app(context)]),
    code: 62,
    says: /none/,
  },
  {
    name: 'no app directory',
    prepare: detected,
    run: (context) => context.detect(['-app', context.place.path('nowhere')]),
    code: 22,
    says: /nowhere: no such directory/,
  },
  {
    name: 'a buildpack of the group that is not there',
    prepare: (context) => context.group('a/gone'),
    run: build,
    code: 52,
    says: /a_gone|a\/gone/,
  },
]

const forbid = (context: Context, path: string) => chmodSync(context.place.path(path), 0)
/** Everybody must be able to clear up. */
const allow = (path: string) => (context: Context) => chmodSync(context.place.path(path), 0o755)

const UNREADABLE: readonly Case[] = [
  {
    name: 'the layers of a buildpack',
    prepare: async (context) => {
      await prepare(context)
      layer(context, 'l', 'launch = true')
      forbid(context, 'layers/a_b')
    },
    run: exported,
    code: 62,
    says: /layers\/a_b/,
    check: allow('layers/a_b'),
  },
  {
    name: 'a layer',
    prepare: async (context) => {
      await prepare(context)
      layer(context, 'l', 'launch = true')
      forbid(context, 'layers/a_b/l')
    },
    run: exported,
    code: 62,
    says: /layers\/a_b\/l/,
    check: allow('layers/a_b/l'),
  },
  {
    name: 'a directory of the app',
    prepare: async (context) => {
      await prepare(context)
      context.place.write('app/secret/file', '')
      forbid(context, 'app/secret')
    },
    run: exported,
    code: 62,
    says: /app\/secret/,
    check: allow('app/secret'),
  },
  {
    name: 'the buildpacks',
    prepare: (context) => {
      detected(context)
      forbid(context, 'buildpacks/a_b')
    },
    run: detect,
    code: 1,
    says: /buildpacks\/a_b/,
    check: allow('buildpacks/a_b'),
  },
  {
    name: 'the user’s variables',
    prepare: (context) => {
      detected(context)
      forbid(context, 'platform/env')
    },
    run: detect,
    code: 22,
    says: /platform\/env/,
    check: allow('platform/env'),
  },
  {
    name: 'the layers directory, for the builder',
    prepare: (context) => {
      built('true')(context)
      forbid(context, 'layers')
    },
    run: build,
    code: 1,
    says: /layers\/group\.toml/,
    check: allow('layers'),
  },
]

const notExecutable = (file: string) => (context: Context) => {
  detected(context)
  context.group('a/b')
  chmodSync(context.place.path('buildpacks/a_b/1.0.0/bin', file), 0o644)
}

const BUILDPACKS: readonly Case[] = [
  {
    name: 'bin/detect without an executable bit',
    prepare: notExecutable('detect'),
    run: detect,
    code: 21,
    says: /buildpack\(s\) failed with err/,
  },
  {
    name: 'bin/build without an executable bit',
    prepare: notExecutable('build'),
    run: build,
    code: 51,
    says: /bin\/build/,
  },
  {
    name: 'an SBOM of a media type that nobody knows',
    prepare: (context) => {
      context.buildpack('a/b', {
        toml: 'sbom-formats = ["application/x-unknown"]',
        build: 'echo "{}" >"$1/launch.sbom.abc.json"',
      })
      context.group('a/b')
    },
    run: build,
    code: 52,
    says: /unsupported SBOM file format|media type/,
  },
  {
    name: 'a Buildpack API that nobody knows',
    prepare: (context) => {
      context.buildpack('a/b', { api: '99.1', detect: 'exit 0' })
      context.order(['a/b'])
    },
    run: detect,
    code: 12,
    says: /buildpack API version '99\.1' is incompatible/,
  },
]

/** What a name that leaves the layers directory would make there. */
const nothingOutside = ({ place }: Context) => {
  expect(existsSync(place.path('evil'))).toBe(false)
  expect(readdirSync(place.directory).sort()).toEqual(
    ['app', 'buildpacks', 'cache', 'config', 'layers', 'order.toml', 'platform'].filter((name) =>
      existsSync(place.path(name)),
    ),
  )
}

const LEAVING: readonly Case[] = [
  {
    name: 'a layer named `..`',
    prepare: built('printf "[types]\\nlaunch = true\\n" >...toml'),
    run: build,
    code: 52,
    says: /invalid layer name "\.\."/,
    check: nothingOutside,
  },
  {
    name: 'a layer named `.`, for the exporter',
    prepare: async (context) => {
      await prepare(context)
      context.place.write('layers/a_b/..toml', '[types]\nlaunch = true\n')
    },
    run: exported,
    code: 62,
    says: /invalid layer name "\."/,
  },
  {
    name: 'a buildpack ID that leaves it',
    prepare: (context) => {
      context.group('a/b')
      context.place.write('layers/group.toml', '[[group]]\nid = ".."\nversion = "1"\napi = "0.12"\n')
    },
    run: restore,
    code: 1,
    says: /invalid buildpack ID "\.\."/,
    check: nothingOutside,
  },
  {
    name: 'a process type that leaves /cnb/process',
    prepare: (context) => prepare(context, { processes: ['..'] }),
    run: exported,
    code: 62,
    says: /invalid process type "\.\."/,
  },
]

const linked = (name: string, target: string) => (context: Context) => {
  mkdirSync(context.place.path('layers/a_b'), { recursive: true })
  chmodSync(context.place.path('layers/a_b'), 0o777)
  symlinkSync(target, context.place.path('layers/a_b', name))
}

const LINKS: readonly Case[] = [
  {
    name: 'a layer that is a link to another place',
    prepare: async (context) => {
      await prepare(context)
      linked('l', '/etc')(context)
      context.place.write('layers/a_b/l.toml', '[types]\nlaunch = true\n')
    },
    run: exported,
    code: 62,
    says: /'a\/b:l' is a link out of the layers directory: .*\/layers\/a_b\/l leads to \/etc$/,
  },
  {
    name: 'the layers of a buildpack that are a link to another place',
    prepare: async (context) => {
      await prepare(context)
      context.place.write('elsewhere/l/file', 'x')
      context.place.write('elsewhere/l.toml', '[types]\nlaunch = true\n')
      symlinkSync('../elsewhere', context.place.path('layers/a_b'))
    },
    run: exported,
    code: 62,
    says: /'a\/b:l' is a link out of the layers directory/,
  },
  {
    name: 'a description that is a link to another place',
    prepare: async (context) => {
      await prepare(context)
      linked('store.toml', '/etc/passwd')(context)
    },
    run: exported,
    code: 62,
    says: /store\.toml/,
  },
  {
    name: 'a description that is a link to itself',
    prepare: async (context) => {
      await prepare(context)
      linked('l.toml', 'l.toml')(context)
    },
    run: exported,
    code: 62,
    says: /l\.toml|a\/b:l/,
  },
  {
    name: 'a description that is a pipe',
    prepare: built('mkfifo launch.toml'),
    run: build,
    code: 52,
    says: /launch\.toml is not a file/,
  },
]

/** One line of an error, and no trace of our own sources. */
function expectFailure({ code, stdout, stderr }: Ended, expected: number, says: RegExp): void {
  const errors = stdout.split('\n').filter((line) => line.startsWith('ERROR: failed to '))
  expect([code, errors, stderr]).toEqual([expected, [expect.stringMatching(says)], ''])
  expect(stdout).not.toMatch(/^ {4}at /m)
}

describe.concurrent.each([
  ['malformed TOML', MALFORMED],
  ['what is missing', MISSING],
  ['what cannot be read', UNREADABLE],
  ['buildpacks', BUILDPACKS],
  ['names that leave their directory', LEAVING],
  ['links', LINKS],
] as const)('%s', (_, cases) => {
  test.each(cases)('$name: $code', async (given) => {
    const versions = {
      platformApi: given.platformApi ?? NEWEST_PLATFORM_API,
      buildpackApi: NEWEST_BUILDPACK_API,
    }
    const context = contextOf(shared, versions, expect)
    await given.prepare(context)
    const ended = await given.run(context)
    given.check?.(context)
    expectFailure(ended, given.code, given.says)
  })
})

test('labels that a registry does not take: 62', async () => {
  await using server = await startTestRegistry()
  const versions = { platformApi: NEWEST_PLATFORM_API, buildpackApi: NEWEST_BUILDPACK_API }
  const context = contextOf({ ...shared, server }, versions, expect)
  await prepare(context, { metadata: `[[labels]]\nkey = "large"\nvalue = "${'x'.repeat(2 << 20)}"\n` })
  server.faults.bodyLimit = 1 << 20
  expectFailure(await exported(context), 62, /app@sha256:.*: the registry answered 413/)
})
