/** The command beyond a newcomer's first minutes: its options, what it says when something is wrong, whom it trusts. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemCertificates } from '../core/http/index.ts'
import { openLayout } from '../oci/layout/layout.ts'
import { imageLayers, readImage } from '../oci/read-image.ts'
import { validateImage } from '../oci/testing/index.ts'
import { freshInstallation, type Installation, own, run, self, start } from './support/clone.ts'
import { startNpmMirror } from './support/npm-mirror.ts'

let here: Installation
let digest: string

const slipway = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  run(here, ['./slipway', ...args], { env })
const example = ['--path', 'examples/node'] as const

/** A lock file without packages. */
const EMPTY_LOCK = JSON.stringify({ lockfileVersion: 3, packages: { '': {} } })

beforeAll(async () => {
  here = freshInstallation(self())
  const { code, stdout, stderr } = await slipway(['build', 'hello', ...example, '--quiet'])
  expect({ code, stderr: stderr.includes('error') }).toEqual({ code: 0, stderr: false })
  digest = stdout.trim().slice('hello@'.length)
})
afterAll(() => here?.[Symbol.dispose]())

async function stored(name: string) {
  const layout = openLayout(join(here.home, 'slipway', 'data', 'store'))
  const image = await readImage(layout.repository(`index.docker.io/library/${name}`), 'latest')
  if (image === undefined) throw new Error(`${name} is not in the store`)
  return image
}

test('help names every option, and arguments that are wrong are told with exit code 2', async () => {
  const help = await slipway(['build', '--help'])
  expect(help).toMatchObject({ code: 0 })
  for (const option of ['--publish', '--quiet', '--no-host-config', '--host-credentials', '--clear-cache']) {
    expect(help.stdout).toContain(option)
  }
  for (const args of [
    ['build'],
    ['build', 'app', '--nonsense'],
    ['nonsense'],
    ['run', 'hello', '--port', '99999'],
  ]) {
    const { code, stderr } = await slipway(args)
    expect([args, code]).toEqual([args, 2])
    expect(stderr).toContain('error:')
  }
})

test.each([
  [['build', 'UPPER', ...example], 3, 'OCI_REFERENCE_INVALID', /upper|lower case/],
  [['build', 'app', '--path', '/nowhere'], 1, 'BUILD_APP_UNREADABLE', /--path/],
  [['build', 'app', '--path', 'docs'], 20, 'DETECT_NO_GROUP', /package\.json/],
  [['run', 'nobody-built-this'], 1, 'RUN_IMAGE_MISSING', /slipway build/],
  [['rebase', 'nobody-built-this'], 72, 'REBASE_IMAGE_MISSING', /Check the name/],
])('%j ends with %i and %s, and says what to try', async (args, exitCode, errorCode, hint) => {
  const { code, stdout, stderr } = await slipway(args as string[])
  expect(code).toBe(exitCode)
  expect(stderr).toContain(`error[${errorCode}]`)
  expect(stdout + stderr).toMatch(hint as RegExp)
})

test('rebase puts an image on the present run image without building it, and it still validates', async () => {
  await slipway(['build', 'moved', ...example, '--quiet'])
  const { code, stdout, stderr } = await slipway(['rebase', 'moved'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const image = await stored('moved')
  await validateImage(image)
  expect(stdout).toContain(`Image   moved@${image.digest}\n`)
  expect(stdout).toContain('Base    slipway.local/run:trixie, on which it stood already: no layer changed\n')
  expect(stdout).toContain('Next    ./slipway run moved --port 8080\n')
  const again = await slipway(['rebase', 'moved', '--quiet'])
  expect(again).toMatchObject({ code: 0, stdout: `moved@${image.digest}\n`, stderr: '' })
})

test("a build of the user's code that fails ends with 51, shows its output, and leaves no image", async () => {
  const app = join(here.home, 'broken')
  mkdirSync(app)
  writeFileSync(
    join(app, 'package.json'),
    JSON.stringify({
      name: 'broken',
      version: '1.0.0',
      scripts: { build: 'echo compiling && exit 7', start: 'node x.js' },
    }),
  )
  writeFileSync(join(app, 'package-lock.json'), EMPTY_LOCK)
  own(app, here.user)
  const { code, stdout, stderr } = await slipway(['build', 'broken', '--path', app])
  expect(code).toBe(51)
  expect(stdout).toContain('compiling')
  expect(stderr).toContain('error[BUILD_BUILDPACK_FAILED]')
  await expect(stored('broken')).rejects.toThrow('not in the store')
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  'a build that is ended by %s leaves nothing behind',
  async (signal) => {
    const app = join(here.home, `slow-${signal}`)
    mkdirSync(app)
    writeFileSync(
      join(app, 'package.json'),
      JSON.stringify({
        name: 'slow',
        version: '1.0.0',
        scripts: { build: 'echo waiting; sleep 600', start: 'node x.js' },
      }),
    )
    writeFileSync(join(app, 'package-lock.json'), EMPTY_LOCK)
    own(app, here.user)
    const build = start(here, ['./slipway', 'build', 'slow', '--path', app])
    await build.waitFor(/^ *waiting$/m)
    build.kill(signal)
    expect(await build.ended).toMatchObject({ code: signal === 'SIGINT' ? 130 : 143 })
    expect(readdirSync(join(here.home, 'slipway', 'cache', 'builds'))).toEqual([])
  },
)

test('JSON lines tell the same build to programs', async () => {
  const { code, stdout, stderr } = await slipway(['build', 'hello', ...example, '--log-format', 'json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1))
  expect(events.filter(({ type }) => type === 'image-saved')).toMatchObject([{ digest }])
})

test('the builder takes newer packages when asked to, and stays the same where there are none', async () => {
  const { code, stdout } = await slipway(['build', 'hello', ...example, '--refresh-builder'])
  expect(code).toBe(0)
  expect(stdout).toContain('Reading the package index of Debian 13')
  expect(stdout).not.toContain('Downloading packages')
  expect(stdout).toContain(`hello@${digest}`)
})

describe('the image', () => {
  test('is valid, and every layer is what its digests say', async () => {
    const image = await stored('hello')
    expect(image.digest).toBe(digest)
    await validateImage(image)
    expect(image.config.config).toMatchObject({ Entrypoint: ['/cnb/process/web'], WorkingDir: '/workspace' })
    expect(image.config.created).toBe('1980-01-01T00:00:01Z')
  })

  test('names no secret, no host path and no uid of this machine', async () => {
    const image = await stored('hello')
    const uid = String(here.user.uid)
    expect(image.config.config?.User).not.toContain(uid === '0' ? 'root' : uid)
    const text = Buffer.from(image.configBytes).toString()
    for (const trace of [here.home, here.clone, process.env.HOME ?? '/root'])
      expect(text).not.toContain(trace)
  })

  test('holds the bytes that another sandbox driver gives', async () => {
    const { code, stdout } = await slipway(['build', 'unshared', ...example, '--quiet'], {
      SLIPWAY_SANDBOX: 'unshare',
    })
    expect({ code, stdout }).toEqual({ code: 0, stdout: `unshared@${digest}\n` })
  })

  test('is the same whatever umask and time zone the caller has', async () => {
    const { stdout } = await run(
      here,
      ['sh', '-c', 'umask 077 && exec ./slipway build masked --path examples/node --quiet'],
      {
        env: { TZ: 'Pacific/Apia', LANG: 'tr_TR.UTF-8' },
      },
    )
    expect(stdout).toBe(`masked@${digest}\n`)
  })
})

test('two mirrors give one digest, and nothing of either or of its token is in the image', async () => {
  const { stdout: upstream } = await run(here, ['npm', 'config', 'get', 'registry'])
  for (const [name, prefix] of [
    ['first-mirror', ''],
    ['second-mirror', '/company/npm'],
  ] as const) {
    await using mirror = await startNpmMirror(upstream.trim(), systemCertificates(process.env), prefix)
    const npmrc = join(here.home, `${name}.npmrc`)
    const secret = `S3CRET-${name}`
    writeFileSync(npmrc, `registry=${mirror.address}\n//${mirror.address.slice(7)}:_authToken=${secret}\n`)
    own(npmrc, here.user)
    const { code, stdout, stderr } = await slipway(['build', name, ...example], {
      npm_config_userconfig: npmrc,
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(mirror.requests()).toBeGreaterThan(60)
    expect(stdout).toContain(`${name}@${digest}`)
    expect(stdout).not.toContain(secret)

    const image = await stored(name)
    const traces = [new URL(mirror.address).host, secret]
    for (const layer of imageLayers(image)) {
      const chunks: Uint8Array[] = []
      for await (const chunk of layer.open()) chunks.push(Buffer.from(chunk))
      const bytes = Buffer.concat(chunks)
      for (const trace of traces) expect(bytes.includes(trace)).toBe(false)
    }
    expect(readFileSync(npmrc, 'utf8')).toContain(secret)
  }
})

test('credentials of package registries reach the build only when asked for, all settings never when forbidden', async () => {
  const app = join(here.home, 'curious')
  mkdirSync(app)
  // A build script that shows what it can see: the settings that npm was given.
  writeFileSync(
    join(app, 'package.json'),
    JSON.stringify({
      name: 'curious',
      version: '1.0.0',
      scripts: { build: 'cat /platform/bindings/*/.npmrc || echo no settings', start: 'node x.js' },
    }),
  )
  writeFileSync(join(app, 'package-lock.json'), EMPTY_LOCK)
  writeFileSync(
    join(app, 'user.npmrc'),
    '@company:registry=http://127.0.0.1:9/company/\n//127.0.0.1:9/company/:_authToken=S3CRET-42\n',
  )
  own(app, here.user)
  const build = async (...more: string[]) => {
    const { code, stdout } = await slipway(['build', 'curious', '--path', app, ...more], {
      npm_config_userconfig: join(app, 'user.npmrc'),
    })
    expect(code).toBe(0)
    return stdout
  }
  const plain = await build()
  expect(plain).toContain('@company:registry=http://127.0.0.1:9/company/')
  expect(plain).not.toContain('S3CRET-42')
  expect(await build('--host-credentials')).toContain('S3CRET-42')
  expect(await build('--no-host-config')).toContain('no settings')
})
