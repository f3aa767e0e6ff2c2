import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createHttpClient, type HttpClient } from '../../core/http/index.ts'
import type { Image } from '../../oci/image.ts'
import { hostPlatform } from '../../oci/platform.ts'
import { imageLayers, readImage } from '../../oci/read-image.ts'
import { parseReference } from '../../oci/reference.ts'
import { createRegistry, type Registry } from '../../oci/registry/index.ts'
import {
  type DockerRegistry,
  startDockerRegistry,
  TEST_PASSWORD,
  TEST_USER,
} from '../../oci/registry/testing/docker-registry.ts'
import { readEntries } from '../../oci/tar/testing/read-entries.ts'
import { randomImage } from '../../oci/testing/index.ts'
import { collect } from '../../oci/testing/temporary.ts'
import { parseReport } from '../../spec/files/report.ts'
import { builderImage, VOLUMES } from './builder-image.ts'
import { type Ended, runContainer, type User } from './container.ts'
import { KPACK, KPACK_ON_OPENSHIFT, PLATFORMS, type Platform } from './platforms.ts'

/**
 * Platforms that were never written with Slipway in mind, on the packaged lifecycle: each one's own script calls it with
 * the flags and in the containers of that platform, against a real registry that asks for a password.
 */

const IS_ROOT = process.getuid?.() === 0
const AUTH = Buffer.from(`${TEST_USER}:${TEST_PASSWORD}`).toString('base64')
const RUN_LAYERS = 2

let server: DockerRegistry
let http: HttpClient
let registry: Registry
let builder: Awaited<ReturnType<typeof builderImage>>
beforeAll(async () => {
  server = await startDockerRegistry({ htpasswd: true })
  http = createHttpClient({})
  registry = createRegistry({
    http,
    credentials: async () => ({ kind: 'basic', username: TEST_USER, password: TEST_PASSWORD }),
  })
  builder = await builderImage(`${server.host}/run:base`)
})
afterAll(async () => {
  builder[Symbol.dispose]()
  await http.close()
  await server.close()
})

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pod-'))
  chmodSync(directory, 0o755)
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const put = (seed: number) =>
  randomImage({
    repository: registry.repository(parseReference(`${server.host}/run`)),
    platform: hostPlatform(),
    tags: ['base'],
    seed,
    layers: RUN_LAYERS,
    config: {
      Env: ['PATH=/usr/bin:/bin'],
      Labels: { 'io.buildpacks.stack.id': 'test', 'io.buildpacks.rebasable': 'true' },
    },
  })

async function imageOf(name: string): Promise<Image> {
  const image = await readImage(registry.repository(parseReference(`${server.host}/${name}`)), 'latest')
  if (image === undefined) throw new Error(`there is no ${name}`)
  return image
}

let pods = 0

interface Pod {
  /** Folders of this machine by where they are mounted. */
  readonly volumes: Readonly<Record<string, string>>
  read(path: string): string
  run(script: string, step: string, user: User, env?: Readonly<Record<string, string>>): Promise<Ended>
}

/** New volumes, but for the cache. */
function openPod(
  { platformApi, owner, volumeMode }: Platform,
  image: string,
  files: Readonly<Record<string, string>>,
): Pod {
  const number = ++pods
  const volumes = Object.fromEntries(
    VOLUMES.map((mount) => {
      const path = join(directory, mount === '/cache' ? 'cache' : `pod${number}${mount.replaceAll('/', '-')}`)
      mkdirSync(path, { recursive: true })
      chmodSync(path, mount === '/tmp' ? 0o1777 : volumeMode)
      return [mount, path] as const
    }),
  )
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(volumes['/workspace'] ?? '', name), text)
  return {
    volumes,
    read: (path) => {
      const [mount = ''] = VOLUMES.filter((one) => path.startsWith(`${one}/`))
      return readFileSync(join(volumes[mount] ?? '', path.slice(mount.length)), 'utf8')
    },
    run: (script, step, user, env = {}) =>
      runContainer({
        image: builder.path,
        user,
        volumes,
        command: ['/bin/sh', '-c', `cd /layers && exec /platforms/${script} ${step}`],
        env: {
          HOME: script.startsWith('tekton') ? '/tekton/home' : '/home/cnb',
          CNB_USER_ID: String(owner.uid),
          CNB_GROUP_ID: String(owner.gid),
          CNB_STACK_ID: 'test',
          CNB_PLATFORM_API: platformApi,
          CNB_NO_COLOR: 'true',
          IMAGE: `${server.host}/${image}`,
          RUN_IMAGE: `${server.host}/run:base`,
          REGISTRY: server.host,
          REGISTRY_AUTH: AUTH,
          ...env,
        },
      }),
  }
}

/** The whole of a build as the platform does it; ends with the step that fails. */
async function build(
  platform: Platform,
  pod: Pod,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly step: string; readonly output: string }> {
  let output = ''
  const hidden = join(directory, 'empty')
  mkdirSync(hidden, { recursive: true })
  chmodSync(hidden, 0o777)
  for (const { name, user, credentials } of platform.steps) {
    const secret =
      credentials === 'environment' ? { CNB_REGISTRY_AUTH: `{"${server.host}":"Basic ${AUTH}"}` } : {}
    const home = credentials === 'none' ? { HOME: '/nonexistent' } : {}
    const ended = await pod.run(platform.script, name, user, { ...secret, ...home, ...env })
    output += ended.output
    if (ended.code !== 0) return { code: ended.code, step: name, output }
  }
  return { code: 0, step: '', output }
}

/** `uid:gid` of everything in the layers that a build added. */
async function ownersIn(image: Image): Promise<readonly string[]> {
  const own = imageLayers(image).slice(RUN_LAYERS)
  const tars = await Promise.all(own.map((layer) => collect(layer.open())))
  return [
    ...new Set(tars.flatMap((tar) => readEntries(tar).map(({ entry }) => `${entry.uid}:${entry.gid}`))),
  ].sort()
}

const needsRoot = ({ steps }: Platform) => steps.some(({ user }) => user.uid === 0)
const APP = { 'app.txt': 'one\n' }

for (const platform of PLATFORMS) {
  const title = `${platform.name}${needsRoot(platform) ? ' (needs root: one of its steps is root)' : ''}`
  const { owner, keepsCache } = platform
  const name = `team/${platform.name.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`

  describe.skipIf(!IS_ROOT && needsRoot(platform))(title, () => {
    test('builds, builds again and rebases', async () => {
      await put(1)
      const first = openPod(platform, name, APP)
      const built = await build(platform, first)
      expect(built, built.output).toMatchObject({ code: 0, step: '' })
      expect(built.output).toContain('deps: new\n')
      expect(built.output).toContain("Adding layer 'test/app:deps'\n")
      const image = await imageOf(name)
      expect(parseReport(first.read(platform.report), { file: 'report.toml' }).image).toMatchObject({
        digest: image.digest,
        manifestSize: image.manifestBytes.length,
      })
      expect(image.config.config?.Entrypoint).toEqual(['/cnb/process/web'])
      // Whoever ran the phases: the builder's user owns the layers, root what the lifecycle puts beside them.
      expect(await ownersIn(image)).toEqual(['0:0', `${owner.uid}:${owner.gid}`])

      const second = openPod(platform, name, { ...APP, 'app.txt': 'two\n' })
      const PREVIOUS_IMAGE = `${server.host}/${name}@${image.digest}`
      const again = await build(platform, second, { PREVIOUS_IMAGE })
      expect(again, again.output).toMatchObject({ code: 0, step: '' })
      expect(again.output).toContain(keepsCache ? 'deps: restored\n' : 'deps: new\n')
      expect(again.output).toContain("Reusing layer 'test/app:deps'\n")
      expect(again.output).toContain("Adding layer 'test/app:app-data'\n")
      expect(again.output).toContain("Reusing layer 'buildpacksio/lifecycle:launcher'\n")
      if (keepsCache) {
        expect(again.output).toContain("Reusing cache layer 'test/app:deps'\n")
        expect(readdirSync(join(directory, 'cache')).sort()).toContain('committed')
      }
      const rebuilt = await imageOf(name)
      expect(rebuilt.config.rootfs.diff_ids).not.toEqual(image.config.rootfs.diff_ids)

      const { config } = await put(2)
      const rebased = await second.run('rebase.sh', '', owner)
      expect(rebased, rebased.output).toMatchObject({ code: 0 })
      const after = await imageOf(name)
      const above = rebuilt.config.rootfs.diff_ids.slice(RUN_LAYERS)
      expect(after.config.rootfs.diff_ids).toEqual([...config.rootfs.diff_ids, ...above])
    })

    test('buildpacks see what the user set, and no credentials', async () => {
      await put(1)
      const { code, output } = await build(platform, openPod(platform, name, APP))
      expect(code, output).toBe(0)
      if (platform.steps.some(({ name: step }) => step === 'build')) {
        expect(output).toContain('credentials: none none\n')
      }
      expect(output).not.toContain(TEST_PASSWORD)
      if (platform.script !== 'shipwright.sh') expect(output).toMatch(/^greeting: from the platform = /m)
    })

    test('an app that no buildpack takes fails with 20, a registry without credentials before anything is built', async () => {
      await put(1)
      const none = await build(platform, openPod(platform, name, { other: '' }))
      expect(none, none.output).toMatchObject({ code: 20 })
      expect(none.output).toContain('ERROR: No buildpack groups passed detection.\n')
      const denied = await build(platform, openPod(platform, `${name}-denied`, APP), {
        REGISTRY_AUTH: 'bm9ib2R5Om5vYm9keQ==',
        ...(platform.script === 'pack.sh' ? { CNB_REGISTRY_AUTH: '{}' } : {}),
      })
      expect(denied.code, denied.output).toBe(platform.denied)
      expect(denied.output).not.toContain('test/app 1.0.0')
    })
  })
}

test('the same build by another uid is the same image', async () => {
  await put(1)
  const digests = []
  for (const platform of [KPACK, KPACK_ON_OPENSHIFT]) {
    const name = `same/${platform.name.length}`
    expect(await build(platform, openPod(platform, name, APP))).toMatchObject({ code: 0 })
    digests.push((await imageOf(name)).digest)
  }
  expect(digests[1]).toBe(digests[0])
})
