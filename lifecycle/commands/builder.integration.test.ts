import { chmodSync, existsSync, readdirSync, statSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  isRunning,
  type TestLifecycle,
  type TestPlace,
  testLifecycle,
  testPlace,
} from './testing/lifecycle.ts'

let lifecycle: TestLifecycle
let place: TestPlace
beforeAll(async () => {
  lifecycle = await testLifecycle()
})
afterAll(() => lifecycle[Symbol.dispose]())
beforeEach(() => {
  place = testPlace(lifecycle)
})

const build = (args: string[] = [], env: Record<string, string> = {}) =>
  lifecycle.run('builder', [...place.buildFlags, ...args], { env })

function group(...ids: string[]): void {
  const entries = ids.map((id) => `[[group]]\nid = "${id}"\nversion = "1.0.0"\napi = "0.12"\n`)
  place.write('layers/group.toml', entries.join(''))
  place.write('layers/plan.toml', '')
}

const process_ = (type: string, more = '') =>
  `printf '[[processes]]\\ntype = "${type}"\\ncommand = ["run", "always"]\\nargs = ["x"]\\n${more}' >"$CNB_LAYERS_DIR/launch.toml"`

describe('builder', () => {
  test('gives bin/build its arguments, directories and plan, and passes its output on byte by byte', async () => {
    place.buildpack('a/b', {
      build: [
        'echo "$1 $2"; cat "$3"; cmp "$3" "$CNB_BP_PLAN_PATH"; echo "$CNB_LAYERS_DIR $CNB_EXEC_ENV"',
        'umask; pwd; echo "$3" >"$1/made"; printf "\\377 no line feed" >&2',
      ].join('\n'),
    })
    group('a/b')
    place.write(
      'layers/plan.toml',
      '[[entries]]\n[[entries.providers]]\nid = "a/b"\nversion = "1.0.0"\n[[entries.requires]]\nname = "dep"\n[entries.requires.metadata]\nn = 1\n',
    )
    const ended = await build()
    expect(ended.stdout).toContain(
      [
        `${place.path('layers/a_b')} ${place.path('platform')}`,
        '[[entries]]',
        '  name = "dep"',
        '  [entries.metadata]',
        '    n = 1',
        `${place.path('layers/a_b')} production`,
        '0022',
        place.path('app'),
        '\ufffd no line feed',
      ].join('\n'),
    )
    expect(ended.code).toBe(0)
    expect(existsSync(place.read('layers/a_b/made').trim())).toBe(false)
  })

  test('later buildpacks see build layers, in the order of their names; the author and others do not', async () => {
    place.buildpack('a/one', {
      build: [
        'cd "$1"; for l in b a; do mkdir -p $l/bin $l/env $l/env.build; printf "[types]\\nbuild = true\\n" >$l.toml',
        'printf $l >$l/env/LIST.append; printf , >$l/env/LIST.delim; printf $l >$l/env.build/LAST; done',
        'mkdir -p c/bin c/env; printf no >c/env/LIST; printf "[types]\\nlaunch = true\\n" >c.toml; echo "one: $LIST"',
      ].join('\n'),
    })
    place.buildpack('a/two', {
      build: `echo "two: $LIST $LAST $USER_SAYS"; case $PATH in "${'$'}{CNB_LAYERS_DIR%/*}"/a_one/b/bin:*/a_one/a/bin:*) echo path;; esac`,
    })
    place.buildpack('a/three', { toml: 'clear-env = true', build: 'echo "three: $LIST$USER_SAYS"' })
    place.write('platform/env/USER_SAYS', 'user')
    group('a/one', 'a/two', 'a/three')
    const ended = await build()
    expect(ended.stdout).toContain('one: \ntwo: a,b b user\npath\nthree: a,b\n')
  })

  test('sets layers that are for nothing aside, and keeps the rest', async () => {
    place.buildpack('a/b', {
      build: [
        'cd "$1"; mkdir -p none/x none.ignore/old flagless kept untold',
        'printf "[metadata]\\nk = 1\\n" >none.toml; printf "[types]\\ncache = true\\n" >kept.toml; touch flagless.toml',
      ].join('\n'),
    })
    group('a/b')
    expect((await build()).code).toBe(0)
    expect(readdirSync(place.path('layers/a_b'))).toEqual([
      'flagless.ignore',
      'flagless.toml',
      'kept',
      'kept.toml',
      'none.ignore',
      'none.toml',
      'untold',
    ])
    expect(existsSync(place.path('layers/a_b/none.ignore/x'))).toBe(true)
  })

  test('what one buildpack leaves unmet goes to the next that provides it', async () => {
    place.buildpack('a/one', {
      build: `grep name "$3" | sed "s/^/one/"; printf '[[unmet]]\\nname = "b"\\n' >"$1/build.toml"`,
    })
    place.buildpack('a/two', { build: 'grep name "$3" | sed "s/^/two/"; true' })
    group('a/one', 'a/two')
    const entry = (name: string) =>
      `[[entries]]\n${['a/one', 'a/two'].map((id) => `[[entries.providers]]\nid = "${id}"\nversion = "1.0.0"\n`).join('')}[[entries.requires]]\nname = "${name}"\n`
    place.write('layers/plan.toml', entry('a') + entry('b'))
    const ended = await build()
    expect(ended.stdout).toContain('one  name = "a"\none  name = "b"\ntwo  name = "b"\n')
  })

  test('processes, labels, slices and the default go into metadata.toml', async () => {
    place.buildpack('a/one', { build: process_('web', 'default = true\\n') })
    place.buildpack('a/two', {
      build: `${process_('api', 'working-dir = "/w"\\n[[labels]]\\nkey = "k"\\nvalue = "v"\\n[[slices]]\\npaths = ["a/*"]\\n')}`,
    })
    group('a/one', 'a/two')
    expect((await build()).code).toBe(0)
    expect(place.read('layers/config/metadata.toml')).toBe(
      [
        'buildpack-default-process-type = "web"',
        '',
        '[[buildpacks]]',
        '  id = "a/one"',
        '  version = "1.0.0"',
        '  api = "0.12"',
        '',
        '[[buildpacks]]',
        '  id = "a/two"',
        '  version = "1.0.0"',
        '  api = "0.12"',
        '',
        '[[labels]]',
        '  key = "k"',
        '  value = "v"',
        '',
        '[[processes]]',
        '  type = "api"',
        '  command = ["run", "always"]',
        '  args = ["x"]',
        '  direct = true',
        '  buildpack-id = "a/two"',
        '  working-dir = "/w"',
        '',
        '[[processes]]',
        '  type = "web"',
        '  command = ["run", "always"]',
        '  args = ["x"]',
        '  direct = true',
        '  buildpack-id = "a/one"',
        '',
        '[[slices]]',
        '  paths = ["a/*"]',
        '',
      ].join('\n'),
    )
    const before011 = place.buildFlags.slice(0, place.buildFlags.indexOf('-build-config'))
    const old = await lifecycle.run('builder', before011, { env: { CNB_PLATFORM_API: '0.9' } })
    expect(old.code).toBe(0)
    expect(place.read('layers/config/metadata.toml')).toContain('command = "run"\n  args = ["always", "x"]')
  })

  test('a process that takes the place of the default and is none leaves none, with a warning', async () => {
    place.buildpack('a/one', { build: process_('web', 'default = true\\n') })
    place.buildpack('a/two', { build: process_('web') })
    group('a/one', 'a/two')
    const ended = await build()
    expect(ended.stdout).toContain(
      'Warning: Warning: redefining the following default process type with a process not marked as default: web\n',
    )
    expect(place.read('layers/config/metadata.toml')).not.toContain('buildpack-default-process-type')
  })

  test('SBOM files go where exporter and cache look for them', async () => {
    place.buildpack('a/b', {
      toml: 'sbom-formats = ["application/vnd.cyclonedx+json;version=1.4", "application/spdx+json"]\n',
      build: [
        'cd "$1"; for f in launch build l c b unknown; do echo "$f" >$f.sbom.cdx.json; done; echo s >l.sbom.spdx.json; chmod 600 *.json',
        'printf "[types]\\nlaunch = true\\n" >l.toml; printf "[types]\\nlaunch = true\\ncache = true\\n" >c.toml; printf "[types]\\nbuild = true\\n" >b.toml',
        'mkdir -p ../sbom/launch/stale',
      ].join('\n'),
    })
    group('a/b')
    place.write('layers/sbom/old.json', '')
    chmodSync(place.path('layers/sbom'), 0o777)
    expect((await build()).code).toBe(0)
    const files = readdirSync(place.path('layers/sbom'), { recursive: true, encoding: 'utf8' })
    const isFile = (name: string) => statSync(place.path('layers/sbom', name)).isFile()
    expect(files.filter(isFile).sort()).toEqual([
      'build/a_b/b/sbom.cdx.json',
      'build/a_b/sbom.cdx.json',
      'build/sbom.legacy.json',
      'cache/a_b/c/sbom.cdx.json',
      'launch/a_b/c/sbom.cdx.json',
      'launch/a_b/l/sbom.cdx.json',
      'launch/a_b/l/sbom.spdx.json',
      'launch/a_b/sbom.cdx.json',
      'launch/sbom.legacy.json',
    ])
    expect(statSync(place.path('layers/sbom/launch/a_b/l/sbom.cdx.json')).mode & 0o777).toBe(0o644)
    expect(place.read('layers/sbom/launch/sbom.legacy.json')).toBe('null\n')
  })

  test('a legacy bill of materials is written as the reference writes it, with a warning', async () => {
    place.buildpack('a/b', {
      build: `printf '[[bom]]\\nname = "<x>"\\n[bom.metadata]\\nb = 1\\na = 2.0\\n' >"$1/launch.toml"`,
    })
    group('a/b')
    const ended = await build()
    expect(ended.stdout).toContain('Warning: BOM table is deprecated')
    expect(place.read('layers/sbom/launch/sbom.legacy.json')).toBe(
      '[{"name":"\\u003cx\\u003e","metadata":{"a":2,"b":1},"buildpack":{"id":"a/b","version":"1.0.0"}}]\n',
    )
  })

  test('a link in place of a layer description cannot show a file from elsewhere as one', async () => {
    place.buildpack('a/b', { build: 'cd "$1"; ln -s /dev/zero x.toml' })
    group('a/b')
    const ended = await build()
    expect(ended.stdout).toContain('x.toml is not a file')
    expect(ended.code).toBe(52)
  })

  test('a daemon that bin/build leaves behind is ended with it', async () => {
    place.buildpack('a/b', {
      build: `setsid bash -c 'echo $$ >"$CNB_LAYERS_DIR/pid"; exec sleep 600' &\nwhile [ ! -s "$1/pid" ]; do :; done`,
    })
    group('a/b')
    expect((await build()).code).toBe(0)
    expect(isRunning(Number(place.read('layers/a_b/pid')))).toBe(false)
  })

  test('what a killed builder left of its own file does not become part of the image', async () => {
    place.buildpack('a/b', { build: 'exit 0' })
    group('a/b')
    place.write('layers/config/metadata.toml.4f-mabc1-1z3x-1.tmp', 'buildp')
    place.write('layers/config/metadata.toml.tmp', 'of somebody else')
    chmodSync(place.path('layers/config'), 0o777)
    expect((await build()).code).toBe(0)
    expect(readdirSync(place.path('layers/config')).sort()).toEqual(['metadata.toml', 'metadata.toml.tmp'])
  })

  test('asked to end, it ends what it runs and clears up first', async () => {
    place.buildpack('a/b', { build: 'echo "$3" >"$1/plan"; echo $$ >"$1/pid"; sleep 600' })
    group('a/b')
    const { ended, kill } = lifecycle.start('builder', place.buildFlags)
    await vi.waitUntil(() => existsSync(place.path('layers/a_b/pid')) && place.read('layers/a_b/pid') !== '')
    kill('SIGTERM')
    const { code, stdout } = await ended
    expect(code).toBe(143)
    expect(stdout).toContain('ERROR: failed to build: interrupted')
    expect(isRunning(Number(place.read('layers/a_b/pid')))).toBe(false)
    expect(existsSync(place.read('layers/a_b/plan').trim())).toBe(false)
    expect(existsSync(place.path('layers/config/metadata.toml'))).toBe(false)
  })
})
