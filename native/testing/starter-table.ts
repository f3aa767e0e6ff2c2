import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

/** Stands where Node would: says how it was called. */
const DUMP = `#!/bin/sh
printf '%s\\0' "$0" "$@"
printf '\\2'
tr '\\0' '\\001' < /proc/$$/environ
`

const LOADER = process.arch === 'arm64' ? 'ld-linux-aarch64.so.1' : 'ld-linux-x86-64.so.2'

/** What the starter does, case by case, with a script in the place of Node. */
export function starterTable(name: string, binary: () => string): void {
  describe(name, () => {
    let top: string
    beforeEach(() => {
      top = mkdtempSync(join(tmpdir(), 'slipway-starter-'))
    })
    afterEach(() => rmSync(top, { recursive: true, force: true }))

    function put(path: string, content: string, mode = 0o644): void {
      mkdirSync(join(top, path, '..'), { recursive: true })
      writeFileSync(join(top, path), content)
      chmodSync(join(top, path), mode)
    }

    function putStarter(path: string): void {
      mkdirSync(join(top, path, '..'), { recursive: true })
      copyFileSync(binary(), join(top, path))
      chmodSync(join(top, path), 0o755)
    }

    function run(
      path: string,
      args: string[] = [],
      env: Record<string, string> = {},
      argv0?: string,
    ): SpawnSyncReturns<string> {
      return spawnSync(join(top, path), args, {
        env: { ASAN_OPTIONS: 'detect_leaks=0', ...env },
        encoding: 'utf8',
        ...(argv0 === undefined ? {} : { argv0 }),
      })
    }

    function started(...call: Parameters<typeof run>): { words: string[]; env: Record<string, string> } {
      const { stdout, stderr } = run(...call)
      expect(stderr).toBe('')
      const [words = '', environ = ''] = stdout.split('\x02')
      const entries = environ
        .split('\x01')
        .filter((entry) => entry !== '' && !entry.startsWith('ASAN_OPTIONS='))
      const env = entries.map((entry) => [
        entry.slice(0, entry.indexOf('=')),
        entry.slice(entry.indexOf('=') + 1),
      ])
      return { words: words.split('\0').slice(0, -1), env: Object.fromEntries(env) }
    }

    describe('of the lifecycle', () => {
      beforeEach(() => {
        putStarter('cnb/lifecycle')
        symlinkSync('lifecycle', join(top, 'cnb', 'detector'))
      })

      test('starts Node by the loader that stands beside it', () => {
        put('cnb/node', '')
        put(`cnb/${LOADER}`, DUMP, 0o755)
        const { words } = started('cnb/detector', ['-app', 'a b', ''], {}, '/cnb/lifecycle/detector')
        const folder = join(top, 'cnb')
        expect(words).toEqual([
          join(folder, LOADER),
          '--inhibit-cache',
          '--library-path',
          folder,
          '--argv0',
          '/cnb/lifecycle/detector',
          join(folder, 'node'),
          join(folder, 'lifecycle.cjs'),
          '-app',
          'a b',
          '',
        ])
      })

      test('starts Node as it is where there is no loader', () => {
        put('cnb/node', DUMP, 0o755)
        expect(started('cnb/detector', ['x']).words).toEqual([
          join(top, 'cnb/node'),
          join(top, 'cnb/lifecycle.cjs'),
          'x',
        ])
      })

      test('is found through a link from anywhere', () => {
        put('cnb/node', DUMP, 0o755)
        symlinkSync(join(top, 'cnb', 'detector'), join(top, 'elsewhere'))
        expect(started('elsewhere').words[0]).toBe(join(top, 'cnb/node'))
      })

      test('says what is missing', () => {
        const { status, stderr } = run('cnb/detector')
        expect([status, stderr]).toEqual([
          1,
          `ERROR: no JavaScript runtime: ${join(top, 'cnb')} holds no \`node\`\n`,
        ])
      })

      test('hides what would change how Node starts', () => {
        put('cnb/node', DUMP, 0o755)
        const harmful = {
          LD_PRELOAD: '',
          LD_LIBRARY_PATH: '/x',
          MALLOC_ARENA_MAX: '1',
          GLIBC_TUNABLES: 'x',
          NODE_OPTIONS: '--require=/nope',
          NODE_CHANNEL_FD: '9',
          OPENSSL_CONF: '/x',
          UV_THREADPOOL_SIZE: '1',
          RES_OPTIONS: 'x',
          GCONV_PATH: '/x',
        }
        const harmless = {
          PATH: '/bin',
          NODE_EXTRA_CA_CERTS: '/ca',
          NODENAME: 'x',
          LANG: 'C',
          HOSTALIASES_X: '1',
        }
        const { env } = started('cnb/detector', [], { ...harmful, ...harmless, _SLIPWAY_ENV_PATH: '/evil' })
        const hidden = Object.entries(harmful).map(([key, value]) => [`_SLIPWAY_ENV_${key}`, value])
        expect(env).toEqual({ ...Object.fromEntries(hidden), ...harmless })
      })
    })

    describe('of a buildpack', () => {
      beforeEach(() => {
        put('bp/buildpack.toml', '')
        put('bp/buildpack.cjs', '')
        putStarter('bp/bin/detect')
        putStarter('bp/bin/build')
      })

      test.each(['detect', 'build'])('runs %s with the runtime beside it', (step) => {
        put('bp/runtime/node', DUMP, 0o755)
        expect(started(`bp/bin/${step}`, ['/platform', '/plan']).words).toEqual([
          join(top, 'bp/runtime/node'),
          join(top, 'bp/buildpack.cjs'),
          step,
          '/platform',
          '/plan',
        ])
      })

      test('takes its name from the file where it was called by another', () => {
        put('bp/runtime/node', DUMP, 0o755)
        expect(started('bp/bin/build', [], {}, 'x').words[2]).toBe('build')
        symlinkSync('build', join(top, 'bp/bin/other'))
        expect(started('bp/bin/other').words[2]).toBe('build')
      })

      test('says which name it does not know', () => {
        put('bp/runtime/node', DUMP, 0o755)
        putStarter('bp/bin/generate')
        const { status, stderr } = run('bp/bin/generate')
        expect(status).toBe(1)
        expect(stderr).toMatch(/detect or build, not .*generate/)
      })

      test('says where it looked for a runtime', () => {
        const { status, stderr } = run('bp/bin/detect')
        expect(status).toBe(1)
        expect(stderr).toBe(
          `ERROR: no JavaScript runtime for the buildpack in ${join(top, 'bp')}: neither /cnb/lifecycle nor ${join(top, 'bp/runtime')} holds a \`node\`\n`,
        )
      })
    })
  })
}
