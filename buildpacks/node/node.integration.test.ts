/**
 * The real buildpack, bundled as a builder has it, on the example app with this machine's own registry settings: bin/detect
 * and bin/build as a lifecycle starts them, without a sandbox.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build as bundle } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Binding } from '../../sources/registries/binding.ts'
import { toBindings } from '../../sources/registries/bindings.ts'
import { readHostSettings } from '../../sources/registries/host.ts'
import { parseLayerContent, writeRestoredLayerContent } from '../../spec/files/layer.ts'
import { startNpmMirror } from '../../test/support/npm-mirror.ts'
import { walkTree } from '../sdk/index.ts'

const top = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64'
let root: string

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'slipway-node-'))
  await bundle({
    absWorkingDir: top,
    entryPoints: { buildpack: 'buildpacks/node/buildpack.ts' },
    outdir: join(root, 'buildpack'),
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    logLevel: 'error',
  })
  cpSync(join(top, 'buildpacks', 'node', 'buildpack.toml'), join(root, 'buildpack', 'buildpack.toml'))
  cpSync(join(top, 'node_modules', 'npm'), join(root, 'buildpack', 'npm'), { recursive: true })
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Workspace {
  readonly path: string
  readonly app: string
  readonly layers: string
  readonly platform: string
}

/** An empty place for one image's builds, always at the same path, so that paths in files cannot differ. */
function workspace(): Workspace {
  const path = join(root, 'work')
  rmSync(path, { recursive: true, force: true })
  const space = {
    path,
    app: join(path, 'app'),
    layers: join(path, 'layers'),
    platform: join(path, 'platform'),
  }
  for (const folder of [space.layers, space.platform]) mkdirSync(folder, { recursive: true })
  writeFileSync(join(path, 'plan.toml'), '')
  return space
}

function putSource(space: Workspace): void {
  rmSync(space.app, { recursive: true, force: true })
  cpSync(join(top, 'examples', 'node'), space.app, {
    recursive: true,
    filter: (file) => !/\/(node_modules|dist)$/.test(file),
  })
}

function putBindings({ platform }: Workspace, bindings: readonly Binding[]): void {
  const folder = join(platform, 'bindings')
  rmSync(folder, { recursive: true, force: true })
  for (const { name, type, files } of bindings) {
    mkdirSync(join(folder, name), { recursive: true })
    for (const [key, text] of Object.entries({ type, ...files })) writeFileSync(join(folder, name, key), text)
  }
}

/** What the lifecycle's analyzer and restorer leave before a build: no launch-only contents, metadata without types. */
function restore({ layers }: Workspace): void {
  for (const file of readdirSync(layers)) {
    if (/^(launch|build)\.toml$/.test(file) || file.endsWith('.json')) rmSync(join(layers, file))
    else if (file.endsWith('.toml')) {
      const path = join(layers, file)
      const content = parseLayerContent(readFileSync(path, 'utf8'), { file: path })
      const folder = path.replace(/\.toml$/, '')
      if (!content.cache) rmSync(folder, { recursive: true, force: true })
      if (content.cache || content.launch) writeFileSync(path, writeRestoredLayerContent(content))
      else rmSync(path)
    }
  }
}

async function start(space: Workspace, phase: 'detect' | 'build', env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(root, 'buildpack', 'buildpack.cjs'), phase], {
    cwd: space.app,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      HOME: join(root, 'nobody'),
      ...Object.fromEntries(
        Object.entries(process.env).filter(([name]) => /^(https?|no)_proxy$/i.test(name)),
      ),
      CNB_BUILDPACK_DIR: join(root, 'buildpack'),
      CNB_PLATFORM_DIR: space.platform,
      CNB_BUILD_PLAN_PATH: join(space.path, 'build-plan.toml'),
      CNB_LAYERS_DIR: space.layers,
      CNB_BP_PLAN_PATH: join(space.path, 'plan.toml'),
      CNB_TARGET_OS: 'linux',
      CNB_TARGET_ARCH: arch,
      CNB_TARGET_DISTRO_NAME: 'debian',
      CNB_TARGET_DISTRO_VERSION: '13',
      ...env,
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  const code = await new Promise<number | null>((done) => child.on('close', done))
  return { code, output }
}

/** Every entry with its mode and content; a launch layer of an image. */
function tree(path: string): Record<string, string> {
  return Object.fromEntries(
    [...walkTree(path)].map((entry) => {
      const file = Buffer.from(`${path}/${entry.path}`, 'latin1')
      const mode = (lstatSync(file).mode & 0o7777).toString(8)
      const content =
        entry.kind === 'file'
          ? createHash('sha256').update(readFileSync(file)).digest('hex')
          : entry.kind === 'link'
            ? readlinkSync(file, 'latin1')
            : ''
      return [entry.path, `${entry.kind} ${mode} ${content}`]
    }),
  )
}

/** Everything that reaches an image, or its label: launch layers, SBOMs, metadata, the app. */
function image({ layers, app }: Workspace) {
  const texts = Object.fromEntries(
    readdirSync(layers)
      .filter((name) => name.endsWith('.json') || /^(launch|node|modules)\.toml$/.test(name))
      .map((name) => [name, readFileSync(join(layers, name), 'utf8')]),
  )
  return { node: tree(join(layers, 'node')), modules: tree(join(layers, 'modules')), app: tree(app), texts }
}

async function hostSettings() {
  return await readHostSettings({ env: process.env, home: homedir() })
}

describe('the example app', () => {
  let space: Workspace
  let first: Record<string, string>

  it('is built: Node.js, packages, the build script, a start command', async () => {
    space = workspace()
    putSource(space)
    putBindings(space, toBindings(await hostSettings(), { credentials: true }))

    expect(await start(space, 'detect')).toEqual({ code: 0, output: '' })
    expect(readFileSync(join(space.path, 'build-plan.toml'), 'utf8')).toContain('name = "node"')

    const { code, output } = await start(space, 'build')
    expect(output).toContain('engines.node in package.json asks for >=22 <25')
    expect(output).toContain('web: node dist/server.js (scripts.start in package.json)')
    expect(code).toBe(0)
    expect(readlinkSync(join(space.app, 'node_modules'))).toBe(join(space.layers, 'modules', 'node_modules'))
    expect(existsSync(join(space.app, 'dist', 'server.js'))).toBe(true)
    const modules = readdirSync(join(space.layers, 'modules', 'node_modules'))
    expect(modules.length).toBeGreaterThan(60)
    expect(modules).not.toContain('typescript')
    expect(modules).not.toContain('.package-lock.json')
    first = tree(join(space.layers, 'modules'))
  })

  it('answers when it is started as the image will, and ends with SIGTERM', async () => {
    const child = spawn(join(space.layers, 'node', 'bin', 'node'), ['dist/server.js'], {
      cwd: space.app,
      env: { PORT: '0', NODE_ENV: 'production' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const line = await new Promise<string>((done, failed) => {
      child.stdout.once('data', (chunk) => done(String(chunk)))
      child.once('exit', (code) => failed(new Error(`ended with ${code}`)))
    })
    const { port } = JSON.parse(line) as { port: number }
    const page = await fetch(`http://127.0.0.1:${port}/`)
    expect(await page.text()).toContain('NODE_ENV production')
    expect(await (await fetch(`http://127.0.0.1:${port}/healthz`)).json()).toEqual({ status: 'ok' })
    child.kill('SIGTERM')
    expect(await new Promise((done) => child.once('exit', done))).toBe(0)
  })

  it('is built again without network: packages and Node.js are kept, the launch layer is not even here', async () => {
    restore(space)
    putSource(space)
    const { code, output } = await start(space, 'build', { npm_config_registry: 'http://127.0.0.1:9/' })
    expect(output).toContain('kept from the last build')
    expect(output).toContain('production packages are unchanged: their layer is reused')
    expect(code).toBe(0)
    expect(existsSync(join(space.layers, 'modules'))).toBe(false)
    expect(readFileSync(join(space.layers, 'modules.toml'), 'utf8')).toContain('launch = true')
    expect(readdirSync(space.layers)).toContain('modules.sbom.cdx.json')
  })

  it('makes the same launch layer from cached packages where the image is new', async () => {
    restore(space)
    rmSync(join(space.layers, 'modules.toml'))
    putSource(space)
    expect((await start(space, 'build', { npm_config_registry: 'http://127.0.0.1:9/' })).code).toBe(0)
    expect(tree(join(space.layers, 'modules'))).toEqual(first)
  })

  it('installs production packages alone where nothing is built, and the same ones', async () => {
    restore(space)
    putSource(space)
    const { code, output } = await start(space, 'build', { BP_NODE_RUN_SCRIPTS: '' })
    expect(output).not.toContain('npm run build')
    expect(code).toBe(0)
    expect(tree(join(space.layers, 'modules'))).toEqual(first)
  })

  it('explains a lock file that does not match, and leaves no layer that counts', async () => {
    restore(space)
    putSource(space)
    const file = join(space.app, 'package.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"zod":', '"nanoid": "5.1.0",\n    "zod":'))
    const { code, output } = await start(space, 'build')
    expect(code).toBe(1)
    expect(output).toContain('ERROR: the lock file does not match package.json: Missing: nanoid')
    expect(output).toContain('NODE_LOCK_OUT_OF_SYNC')
    expect(output).not.toContain('--legacy-bundling')
    expect(existsSync(join(space.layers, 'build-modules.toml'))).toBe(false)
  })
})

describe('behind mirrors', () => {
  it('two of them give the same bytes, and nothing of either is in them', async () => {
    const { settings } = await hostSettings()
    const npm = join(root, 'buildpack', 'npm', 'bin', 'npm-cli.js')
    const asked = spawnSync(process.execPath, [npm, 'config', 'get', 'registry'], {
      cwd: root,
      encoding: 'utf8',
    })
    const url = asked.stdout.trim()
    const images: ReturnType<typeof image>[] = []
    for (const prefix of ['', '/company/npm']) {
      await using mirror = await startNpmMirror(url, settings.certificates, prefix)
      const { address } = mirror
      const space = workspace()
      putSource(space)
      putBindings(space, [
        {
          name: 'mirror',
          type: 'npmrc',
          files: { '.npmrc': `registry=${address}\n//${address.slice(7)}:_authToken=S3CRET-TOKEN\n` },
        },
      ])
      const { code, output } = await start(space, 'build', {
        https_proxy: '',
        HTTPS_PROXY: '',
        http_proxy: '',
        HTTP_PROXY: '',
      })
      expect(output).toContain('- Start command')
      expect(code).toBe(0)
      expect(output).not.toContain('S3CRET')
      expect(mirror.requests()).toBeGreaterThan(60)

      const found = [...walkTree(space.layers), ...walkTree(space.app)].length
      expect(found).toBeGreaterThan(1000)
      for (const directory of [space.layers, space.app])
        for (const { path, kind } of walkTree(directory)) {
          if (kind !== 'file') continue
          const bytes = readFileSync(Buffer.from(`${directory}/${path}`, 'latin1'))
          for (const trace of [new URL(address).host, 'S3CRET-TOKEN'])
            expect(bytes.includes(trace), `${trace} in ${path}`).toBe(false)
        }
      images.push(image(space))
    }
    expect(images[1]).toEqual(images[0])
  })
})
