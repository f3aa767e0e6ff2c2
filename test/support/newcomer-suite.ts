/** What a newcomer does in the first ten minutes, on a fresh clone, as one user. */
import { appendFileSync, chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestRegistry, type TestRegistry } from '../../oci/registry/testing/server.ts'
import { freshInstallation, type Installation, type Outcome, run, start, type User } from './clone.ts'

export function newcomer(user: User): void {
  describe(`a newcomer who is ${user.name}`, () => {
    let here: Installation
    let registry: TestRegistry
    let first: Outcome

    const slipway = (...args: string[]) => run(here, ['./slipway', ...args])

    beforeAll(async () => {
      here = freshInstallation(user)
      registry = await startTestRegistry()
      first = await slipway('build', 'hello', '--path', 'examples/node')
    })
    afterAll(async () => {
      await registry?.close()
      here?.[Symbol.dispose]()
    })

    test('builds the example on the first run, and is told what happened', () => {
      expect(first).toMatchObject({ code: 0 })
      expect(first.stderr).toContain('slipway: installing dependencies')
      expect(first.stdout).toContain('Reading the package index of Debian 13')
      for (const phase of ['Analyze', 'Detect', 'Restore', 'Build', 'Export']) {
        expect(first.stdout.split('\n').filter((line) => line === phase)).toEqual([phase])
      }
      expect(first.stdout).toMatch(/^Image {3}hello@sha256:[0-9a-f]{64}$/m)
      expect(first.stdout).toMatch(/^Layers {2}0 of 7 reused$/m)
      expect(first.stdout).toMatch(/^Size {4}[\d.]+ MB/m)
      expect(first.stdout).toMatch(/^Time {4}/m)
      expect(first.stdout).toContain('./slipway run hello --port 8080')
      expect(first.stdout).not.toContain('warning')
    })

    test('writes nothing into the clone', async () => {
      expect(existsSync(join(here.clone, 'node_modules'))).toBe(false)
      expect(readdirSync(join(here.home, 'slipway', 'cache', 'builds'))).toEqual([])
    })

    test('gets the same image again with --quiet, and nothing else on the screen', async () => {
      const { code, stdout, stderr } = await slipway('build', 'hello', '--path', 'examples/node', '--quiet')
      expect({ code, stdout, stderr }).toEqual({
        code: 0,
        stdout: `hello@${digestOf(first.stdout)}\n`,
        stderr: '',
      })
    })

    test('sees every layer reused in the second build', async () => {
      const { stdout } = await slipway('build', 'hello', '--path', 'examples/node')
      expect(stdout).toMatch(/^Layers {2}7 of 7 reused$/m)
      expect(digestOf(stdout)).toBe(digestOf(first.stdout))
    })

    test('gets a small new layer for a line of the source that changed', async () => {
      appendFileSync(join(here.clone, 'examples/node/src/server.ts'), '\n// one more line\n')
      const { code, stdout } = await slipway(
        'build',
        'changed',
        '--path',
        'examples/node',
        '--previous-image',
        'hello',
      )
      expect(code).toBe(0)
      expect(stdout).toMatch(/reused {2}slipway\/nodejs:modules/)
      expect(stdout).toMatch(/added {3}slice-1/)
    })

    test('runs the image without a container engine, and ends it with an interrupt', async () => {
      const port = await freePort()
      const app = start(here, ['./slipway', 'run', 'hello', '--port', String(port)])
      await app.waitFor(/listening/)
      const response = await fetch(`http://127.0.0.1:${port}/healthz`)
      expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }])
      app.kill('SIGINT')
      const { code, stdout } = await app.ended
      expect(code).toBe(0)
      expect(stdout).toContain('stopping')
      await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow()
      expect(readdirSync(join(here.home, 'slipway', 'cache', 'runs'))).toEqual([])
    })

    test('publishes straight to a registry, and sends nothing twice', async () => {
      const name = `${registry.host}/hello`
      const published = await slipway('build', name, '--path', 'examples/node', '--publish', '--quiet')
      expect(published).toMatchObject({ code: 0, stderr: '' })
      const digest = digestOf(published.stdout)
      const sent = [...registry.received.values()].reduce((sum, bytes) => sum + bytes, 0)
      expect(sent).toBeGreaterThan(20_000_000)
      registry.resetCounters()

      const again = await slipway('build', name, '--path', 'examples/node', '--publish')
      expect(again.stdout).toMatch(/^Layers {2}7 of 7 reused$/m)
      expect(digestOf(again.stdout)).toBe(digest)
      const sentAgain = [...registry.received.values()].reduce((sum, bytes) => sum + bytes, 0)
      expect(sentAgain).toBeLessThan(20_000)
    })

    test('may make the clone read-only', async () => {
      chmodTree(here.clone, (mode) => mode & ~0o222)
      try {
        const { code, stdout } = await slipway('build', 'hello', '--path', 'examples/node', '--quiet')
        expect(code).toBe(0)
        expect(stdout).toMatch(/^hello@sha256:[0-9a-f]{64}\n$/)
      } finally {
        chmodTree(here.clone, (mode) => mode | 0o200)
      }
    })

    test('is told that the program is made anew after a pull', async () => {
      appendFileSync(join(here.clone, 'platform/cli/format.ts'), '\n// pulled\n')
      const pulled = await slipway('--version')
      expect(pulled).toMatchObject({ code: 0, stdout: `${version(here)}\n` })
      expect(pulled.stderr).toContain('bundling the program')
      expect(pulled.stderr).not.toContain('installing dependencies')
      expect((await slipway('--version')).stderr).toBe('')
    })
  })
}

function digestOf(output: string): string {
  return /@(sha256:[0-9a-f]{64})/.exec(output)?.[1] ?? 'no digest'
}

function version(here: Installation): string {
  return JSON.parse(readFileSync(join(here.clone, 'package.json'), 'utf8')).version
}

function chmodTree(path: string, change: (mode: number) => number): void {
  for (const entry of [
    path,
    ...readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => join(path, name)),
  ]) {
    chmodSync(entry, change(statSync(entry).mode))
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
