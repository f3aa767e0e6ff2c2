import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ORDINARY_USER,
  type TestLifecycle,
  type TestPlace,
  testLifecycle,
  testPlace,
  testPlaceAt,
} from '../../lifecycle/commands/testing/lifecycle.ts'
import { archiveTar, dockerArchive, fileOf } from '../../oci/daemon/archive.ts'
import { type Engine, openEngine } from '../../oci/daemon/engine.ts'
import { keepSavedImage } from '../../oci/daemon/saved-image.ts'
import { decompress } from '../../oci/decompress.ts'
import { type Digest, digestOf } from '../../oci/digest.ts'
import { configJson } from '../../oci/image-json.ts'
import { entriesLayer, type LayerEntry } from '../../oci/tar/walk.ts'
import { type CountingProxy, countingProxy } from './counting-proxy.ts'
import type { TestEngine } from './engines.ts'

const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch
const launcher = fileURLToPath(new URL(`../../native/built/${ARCHITECTURE}/launcher`, import.meta.url))
const isRoot = process.getuid?.() === 0
/** The folder of the Go lifecycle's programs. */
const reference = process.env.REFERENCE_LIFECYCLE
/** Of the layer that no build has to send twice. */
const DEPENDENCIES = 4_000_000
/** Far below that, and far above configurations and small layers. */
const LITTLE = 1_000_000

interface Inspected {
  readonly Id: string
  readonly RepoTags: readonly string[]
  readonly Config: { readonly Entrypoint: readonly string[]; readonly Labels: Record<string, string> }
  readonly RootFS: { readonly Layers: readonly Digest[] }
}

/**
 * What the lifecycle does with a container daemon, on a real one. The tests build on each other.
 * @param asksBack whether the store needs a layer again where one below it has changed
 */
export function daemonSuite(
  name: string,
  start: () => Promise<TestEngine>,
  { asksBack }: { readonly asksBack: boolean },
): void {
  describe.skipIf(!isRoot)(`${name} (an engine of its own takes root)`, () => {
    let engine: TestEngine
    let proxy: CountingProxy
    let client: Engine
    let lifecycle: TestLifecycle
    let place: TestPlace
    let temporary: string

    beforeAll(async () => {
      temporary = mkdtempSync(join(tmpdir(), 'slipway-daemon-'))
      lifecycle = await testLifecycle()
      engine = await start()
      proxy = await countingProxy(engine.socket)
      client = await openEngine({ kind: 'socket', path: engine.socket })
      place = makePlace(lifecycle)
      await loadRunImage('first')
    })
    afterAll(async () => {
      client?.[Symbol.dispose]()
      await proxy?.[Symbol.asyncDispose]()
      await engine?.[Symbol.asyncDispose]()
      lifecycle?.[Symbol.dispose]()
      rmSync(temporary, { recursive: true, force: true })
    })

    async function loadRunImage(version: string): Promise<void> {
      const layers = [`/etc/${version}`, '/etc/common'].map((path) => tarOf(file(path, path)))
      const config = Buffer.from(
        configJson({
          architecture: ARCHITECTURE,
          os: 'linux',
          created: '1980-01-01T00:00:01Z',
          config: { Env: ['PATH=/bin'], Labels: { 'io.buildpacks.base.version': version } },
          rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
          history: [version, 'common'].map((created_by) => ({ created: '1980-01-01T00:00:01Z', created_by })),
        }),
      )
      const files = layers.map((layer, index) => fileOf(`${version}-${index}.tar`, layer))
      const archive = dockerArchive({ digest: digestOf(config), bytes: config }, files, [
        'docker.io/library/run:latest',
      ])
      await client.load(() => archiveTar(archive))
    }

    const inspect = async (image: string) => (await engine.ask('GET', `/images/${image}/json`)) as Inspected
    const imageId = async (image: string) => (await inspect(image)).Id.slice('sha256:'.length)
    const labelOf = async (image: string) =>
      JSON.parse((await inspect(image)).Config.Labels['io.buildpacks.lifecycle.metadata'] ?? '')
    const reported = () => /image-id = "(.*)"/.exec(place.read('report.toml'))?.[1]

    const user = ['-uid', String(ORDINARY_USER), '-gid', String(ORDINARY_USER)]
    const run = (command: string, args: readonly string[], env: Record<string, string> = {}) =>
      lifecycle.run(command, [...user, ...args], {
        privileged: true,
        env: { DOCKER_HOST: `unix://${proxy.socket}`, CNB_PLATFORM_API: '0.12', ...env },
      })
    const paths = () => ['-layers', place.path('layers'), '-launcher', place.path('launcher')]
    const create = async (args: readonly string[], env?: Record<string, string>) => {
      // As in a new container.
      rmSync(place.path('layers'), { recursive: true, force: true })
      mkdirSync(place.path('layers'))
      const files = ['-run', place.path('run.toml'), '-report', place.path('report.toml')]
      const flags = [...place.detectFlags, ...paths(), ...files, '-cache-dir', place.path('cache')]
      const ended = await run('creator', ['-daemon', ...flags, ...args], env)
      expect(ended.stdout + ended.stderr).toContain('*** Images')
      expect(ended.code).toBe(0)
      return ended
    }
    const launchCache = () => ['-launch-cache', place.path('launch')]

    /** Every layer that the image names can be had from the daemon and is what its name says. */
    async function expectWhole(image: string): Promise<void> {
      const { Id, RootFS } = await inspect(image)
      using saved = await keepSavedImage(client.save([Id]), temporary)
      for (const diffId of RootFS.Layers) {
        const parts: Buffer[] = []
        for await (const chunk of decompress(saved.layer(diffId)?.open() ?? []))
          parts.push(Buffer.from(chunk))
        expect(digestOf(Buffer.concat(parts))).toBe(diffId)
      }
    }

    test('an image is built in it, by a user who may not open its socket', async () => {
      const ended = await create([...launchCache(), '-tag', 'registry.example/other:2', 'app'])
      const { Id, Config, RootFS } = await inspect('app')
      expect(reported()).toBe(Id.slice('sha256:'.length))
      expect(place.read('report.toml')).toContain('tags = ["app", "registry.example/other:2"]')
      expect(place.read('report.toml')).not.toContain('digest')
      expect(ended.stdout).toContain(
        `*** Images (${reported()?.slice(0, 12)}):\n      app\n      registry.example/other:2\n`,
      )
      expect(place.read('layers/analyzed.toml')).toContain(`reference = "${await imageId('run')}"`)
      expect((await inspect('registry.example/other:2')).Id).toBe(Id)
      expect(Config.Entrypoint).toEqual(['/cnb/process/web'])
      expect(RootFS.Layers.slice(0, 2)).toEqual((await inspect('run')).RootFS.Layers)
      expect((await labelOf('app')).runImage.reference).toBe(await imageId('run'))
      expect(proxy.count().sent).toBeGreaterThan(DEPENDENCIES)
      await expectWhole('app')
    })

    test('nothing is sent where nothing has changed', async () => {
      const before = await imageId('app')
      const ended = await create([...launchCache(), 'app'])
      expect(ended.stdout).toContain("Reusing layer 'a/deps:keep'")
      expect(ended.stdout).toContain('Reused 1/1 app layer(s)')
      expect(await imageId('app')).toBe(before)
      expect(reported()).toBe(before)
      expect(proxy.count().sent).toBeLessThan(20_000)
    })

    test('layers below a changed one are not sent', async () => {
      place.write('app/index.html', 'changed')
      await create([...launchCache(), 'app'])
      const { sent } = proxy.count()
      expect(sent).toBeGreaterThan(2000)
      expect(sent).toBeLessThan(LITTLE)
      await expectWhole('app')
    })

    test('a layer that is on no disk any more comes from the launch cache when the run image changes', async () => {
      await loadRunImage('second')
      const before = (await labelOf('app')).buildpacks
      proxy.count()
      await create([...launchCache(), 'app'])
      const { received } = proxy.count()
      expect((await labelOf('app')).buildpacks).toEqual(before)
      expect((await inspect('app')).RootFS.Layers.slice(0, 2)).toEqual((await inspect('run')).RootFS.Layers)
      if (asksBack) expect(received).toBeLessThan(LITTLE)
      await expectWhole('app')
    })

    test('and from the daemon where there is no launch cache', async () => {
      await loadRunImage('third')
      const before = (await labelOf('app')).buildpacks
      proxy.count()
      await create(['app'])
      const { received } = proxy.count()
      expect((await labelOf('app')).buildpacks).toEqual(before)
      if (asksBack) expect(received).toBeGreaterThan(DEPENDENCIES)
      await expectWhole('app')
    })

    test('the phases one by one, the previous image by its ID', async () => {
      const id = await imageId('app')
      const files = ['-run', place.path('run.toml'), ...launchCache()]
      const daemon = { CNB_USE_DAEMON: 'true' }
      const cache = ['-cache-dir', place.path('cache')]
      for (const previous of [id, id.slice(0, 12)]) {
        const flags = ['-layers', place.path('layers'), ...files, '-previous-image', previous, 'app:next']
        const analyzed = await run('analyzer', flags, daemon)
        expect([analyzed.stdout, analyzed.code]).toEqual([expect.any(String), 0])
        expect(place.read('layers/analyzed.toml')).toContain(`[image]\n  reference = "${id}"`)
      }
      const restored = await run('restorer', ['-layers', place.path('layers'), ...cache], daemon)
      expect([restored.stdout, restored.code]).toEqual([expect.any(String), 0])
      const flags = [...paths(), ...files, ...cache, '-app', place.path('app'), '-log-level', 'debug']
      const exported = await run('exporter', [...flags, 'app:next'], daemon)
      expect(exported.stdout).toContain(`Reusing layers from image with id '${id}'`)
      expect(exported.code).toBe(0)
      await expectWhole('app:next')
    })

    test('an app is put on another run image', async () => {
      await loadRunImage('fourth')
      const before = await inspect('app')
      const ended = await run('rebaser', [
        '-daemon',
        '-report',
        place.path('rebase.toml'),
        'app',
        'registry.example/app:2',
      ])
      expect(ended.stdout).toContain('*** Images (')
      expect(ended.code).toBe(0)
      const after = await inspect('app')
      const base = (await inspect('run')).RootFS.Layers
      expect(after.RootFS.Layers).toEqual([...base, ...before.RootFS.Layers.slice(base.length)])
      expect(place.read('rebase.toml')).toContain(`image-id = "${after.Id.slice('sha256:'.length)}"`)
      expect((await inspect('registry.example/app:2')).Id).toBe(after.Id)
      expect((await labelOf('app')).runImage.reference).toBe(await imageId('run'))
      await expectWhole('app')
    })

    test.skipIf(reference === undefined)(
      'an image equals that of the Go lifecycle (REFERENCE_LIFECYCLE)',
      async () => {
        // Above the layers ours writes what a builder image has, the Go lifecycle what it finds: it finds the same here.
        const directory = mkdtempSync('/opt/slipway-daemon-')
        try {
          const made = []
          for (const program of ['ours', 'theirs'] as const) {
            made.push(await built(program, directory))
            rmSync(directory, { recursive: true })
          }
          const [ours, theirs] = made
          expect(ours).toEqual(theirs)
        } finally {
          rmSync(directory, { recursive: true, force: true })
        }
      },
    )

    /** What an image says and is, and what was said of it, without what tells both lifecycles apart. */
    async function built(program: 'ours' | 'theirs', directory: string) {
      const place = fill(testPlaceAt(directory))
      chmodSync(directory, 0o755)
      place.write('run.toml', '[[images]]\nimage = "run"\n')
      for (const name of ['app', 'layers']) {
        chmodSync(place.path(name), 0o755)
        chownSync(place.path(name), ORDINARY_USER, ORDINARY_USER)
      }
      const flags = ['-daemon', ...user, ...place.detectFlags, '-launcher', place.path('launcher')]
      const files = ['-run', place.path('run.toml'), '-report', place.path('layers/report.toml')]
      const args = [...flags, ...files, '-cache-dir', place.path('cache'), '-no-color', `same-${program}`]
      const env = { DOCKER_HOST: `unix://${engine.socket}`, CNB_PLATFORM_API: '0.12' }
      const stdout =
        program === 'ours'
          ? (await lifecycle.run('creator', args, { privileged: true, env })).stdout
          : execFileSync(join(reference ?? '', 'creator'), args, {
              env: { ...process.env, ...env },
              encoding: 'utf8',
            })
      const { Config, RootFS } = await inspect(`same-${program}`)
      const { 'io.buildpacks.build.metadata': build = '', ...labels } = Config.Labels
      const history = (await engine.ask('GET', `/images/same-${program}/history`)) as { CreatedBy: string }[]
      const id = await imageId(`same-${program}`)
      const known = (text: string) =>
        text
          .replaceAll(id, 'ID')
          .replaceAll(id.slice(0, 12), 'ID')
          .replaceAll(program, 'NAME')
          .replace(/ *manifest-size = .*\n/, '')
      return {
        config: { ...Config, Labels: { ...labels, build: { ...JSON.parse(build), launcher: undefined } } },
        layers: RootFS.Layers,
        history: history.map(({ CreatedBy }) => CreatedBy),
        report: known(place.read('layers/report.toml')),
        stdout: known(stdout),
      }
    }

    test('an image that is not there', async () => {
      const noRun = await run('analyzer', [
        ...['-daemon', '-layers', place.path('layers'), '-run-image', 'nothing', 'app'],
      ])
      expect(noRun.stdout).toContain('Image with name "nothing" not found')
      expect(noRun.code).toBe(0)
      const noApp = await run('rebaser', ['-daemon', 'nothing'])
      expect(noApp.stdout).toContain('failed to access image to rebase: there is no image nothing')
      expect(noApp.code).toBe(72)
    })
  })
}

function file(name: string, text: string | Buffer): LayerEntry {
  return { type: 'file', name, mode: 0o644, uid: 0, gid: 0, content: Buffer.from(text) }
}

function tarOf(...entries: LayerEntry[]): Buffer {
  return Buffer.concat(
    [...(entriesLayer(entries).blocks() as Iterable<Uint8Array>)].map((b) => Buffer.from(b)),
  )
}

/** A buildpack with a large layer that is cached, and one that it does not even look at once it is there. */
function makePlace(lifecycle: TestLifecycle): TestPlace {
  return fill(testPlace(lifecycle))
}

function fill(place: TestPlace): TestPlace {
  for (const name of ['cache', 'launch']) mkdirSync(place.path(name))
  place.buildpack('a/deps', {
    toml: '[[targets]]\nos = "linux"\n',
    detect: 'exit 0',
    build: [
      'cd "$1"',
      `mkdir -p deps; [ -f deps/bytes ] || head -c ${DEPENDENCIES} /dev/zero >deps/bytes`,
      'printf "[types]\\nlaunch = true\\ncache = true\\n" >deps.toml',
      `[ -f keep.toml ] || { mkdir keep; head -c ${DEPENDENCIES} /dev/zero >keep/bytes; }`,
      'printf "[types]\\nlaunch = true\\n" >keep.toml',
      `printf '[[processes]]\\ntype = "web"\\ncommand = ["serve"]\\ndefault = true\\n' >launch.toml`,
    ].join('\n'),
  })
  place.order(['a/deps'])
  place.write('app/index.html', 'hello')
  place.write('run.toml', '[[images]]\nimage = "run"\n')
  copyFileSync(launcher, place.path('launcher'))
  return place
}
