import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type BuildContext, type Buildpack, defineBuildpack, fail, pass, userError } from './index.ts'
import { runBuildpack } from './main.ts'

let root: string
let output: string

beforeEach(() => {
  output = ''
  root = mkdtempSync(join(tmpdir(), 'slipway-sdk-'))
  for (const name of ['app', 'layers', 'platform', 'tmp']) mkdirSync(join(root, name))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const at = (...parts: string[]) => join(root, ...parts)
const read = (...parts: string[]) => readFileSync(at(...parts), 'utf8')

async function run(
  buildpack: Partial<Buildpack>,
  args: string[],
  env: Record<string, string> = {},
): Promise<number> {
  return await runBuildpack(defineBuildpack({ detect: () => pass(), build: () => ({}), ...buildpack }), {
    args,
    env: { TMPDIR: at('tmp'), ...env },
    cwd: at('app'),
    buildpackDir: at('bp'),
    machine: 'x64',
    write: (bytes) => {
      output += Buffer.from(bytes as Uint8Array).toString('utf8')
    },
  })
}

const detectEnv = () => ({ CNB_PLATFORM_DIR: at('platform'), CNB_BUILD_PLAN_PATH: at('plan.toml') })
const buildEnv = () => ({
  CNB_PLATFORM_DIR: at('platform'),
  CNB_LAYERS_DIR: at('layers'),
  CNB_BP_PLAN_PATH: at('bp-plan.toml'),
})
const build = (work: (context: BuildContext) => ReturnType<Buildpack['build']>) =>
  run({ build: work }, ['build'], buildEnv())

describe('detect', () => {
  it('writes the plan with its alternatives', async () => {
    const plan = {
      provides: ['a'],
      requires: [{ name: 'b', metadata: { version: '1' } }],
      or: [{ requires: ['c'] }],
    }
    expect(await run({ detect: () => pass(plan) }, ['detect'], detectEnv())).toBe(0)
    expect(read('plan.toml')).toBe(
      '[[provides]]\n  name = "a"\n\n[[requires]]\n  name = "b"\n  [requires.metadata]\n    version = "1"\n\n[[or]]\n\n  [[or.requires]]\n    name = "c"\n',
    )
  })

  it('takes the arguments of lifecycles that set no variables', async () => {
    expect(await run({}, ['detect', at('platform'), at('plan.toml')])).toBe(0)
    expect(read('plan.toml')).toBe('')
  })

  it('says why it does not take part, with exit code 100', async () => {
    expect(await run({ detect: () => fail('no package.json') }, ['detect'], detectEnv())).toBe(100)
    expect(output).toBe('no package.json\n')
    expect(existsSync(at('plan.toml'))).toBe(false)
  })

  it('ends with another code when it fails, whatever the error says', async () => {
    const detect = () => {
      throw userError('TEST_BROKEN', 'it is broken', { subject: 'file', hint: 'Mend it.', exitCode: 100 })
    }
    expect(await run({ detect }, ['detect'], detectEnv())).toBe(1)
    expect(output).toBe('ERROR: it is broken\n  code: TEST_BROKEN\n  what: file\n  try:  Mend it.\n')
  })
})

describe('build', () => {
  it('gives the context that the lifecycle describes', async () => {
    writeFileSync(at('bp-plan.toml'), '[[entries]]\nname = "node"\n[entries.metadata]\nlaunch = true\n')
    writeFileSync(at('layers', 'store.toml'), '[metadata]\ncount = 3\n')
    writeFileSync(at('app', 'file'), 'text')
    let seen: unknown
    const code = await run(
      {
        build: async (context) => {
          seen = {
            plan: context.plan,
            store: { ...context.store },
            target: context.target,
            execEnv: context.execEnv,
            text: await context.app.readText('file'),
            none: await context.app.readText('file/none'),
          }
          return {}
        },
      },
      ['build'],
      {
        ...buildEnv(),
        CNB_TARGET_OS: 'linux',
        CNB_TARGET_ARCH: 'arm64',
        CNB_TARGET_DISTRO_NAME: 'debian',
        CNB_TARGET_DISTRO_VERSION: '13',
        CNB_EXEC_ENV: 'test',
      },
    )
    expect(output).toBe('')
    expect(code).toBe(0)
    expect(seen).toEqual({
      plan: [{ name: 'node', metadata: { launch: true } }],
      store: { count: 3n },
      target: { os: 'linux', arch: 'arm64', distro: { name: 'debian', version: '13' } },
      execEnv: 'test',
      text: 'text',
      none: undefined,
    })
  })

  it('writes launch.toml, build.toml, store.toml and SBOMs, and removes old ones', async () => {
    const tool = { name: 'test', version: '1' }
    await build(() => ({
      processes: [
        { type: 'web', command: ['node', 'a'], args: ['b'], default: true, workingDirectory: '/x' },
      ],
      labels: [{ key: 'k', value: 'v' }],
      slices: [{ paths: ['node_modules'] }],
      unmet: ['python'],
      store: { count: 4n },
      sbom: { launch: { tool, components: [] } },
    }))
    expect(output).toBe('')
    expect(read('layers', 'launch.toml')).toBe(
      '[[labels]]\n  key = "k"\n  value = "v"\n\n[[processes]]\n  type = "web"\n  command = ["node", "a"]\n  args = ["b"]\n  default = true\n  working-dir = "/x"\n\n[[slices]]\n  paths = ["node_modules"]\n',
    )
    expect(read('layers', 'build.toml')).toBe('[[unmet]]\n  name = "python"\n')
    expect(read('layers', 'store.toml')).toBe('[metadata]\n  count = 4\n')
    expect(readdirSync(at('layers'))).toContain('launch.sbom.cdx.json')
    await build(() => ({}))
    expect(readdirSync(at('layers'))).toEqual(['store.toml'])
  })

  it('prints a failure that is no SlipwayError, and removes its temporary directory', async () => {
    const code = await build(async (context) => {
      writeFileSync(join(await context.temporary(), 'file'), '')
      expect(readdirSync(at('tmp'))).toHaveLength(1)
      throw new Error('outer', { cause: new Error('inner') })
    })
    expect(code).toBe(1)
    expect(output).toBe('ERROR: the buildpack failed: outer: inner\n')
    expect(readdirSync(at('tmp'))).toEqual([])
  })

  it.each([[[]], [['test']], [['build', '/layers']]])('wrong usage %o is said', async (args) => {
    expect(await run({}, args)).toBe(1)
    expect(output).toContain('BUILDPACK_USAGE')
  })

  it('runs programs with their output indented in the log', async () => {
    await build(async ({ log, run, app }) => {
      log.step('Work')
      const result = await run('sh', ['-c', 'printf "one\\ntwo"; echo err >&2; exit 3'], {
        cwd: app.path,
        env: {},
      })
      expect(result).toMatchObject({ code: 3, ok: false, stdout: 'one\ntwo' })
      log.info('done')
      const filtered = await run('sh', ['-c', 'echo a; echo b; printf c'], {
        cwd: app.path,
        env: {},
        shows: (line) => line !== 'b',
      })
      expect(filtered.stdout).toBe('a\nb\nc')
      return {}
    })
    expect(output).toMatch(/^- Work\n {4}/)
    expect(output).toContain('    one\n')
    expect(output).toContain('\n  done\n    a\n    c')
    const missing = await build(async ({ run, app }) => {
      await run('/no/such', [], { cwd: app.path, env: {} })
      return {}
    })
    expect(missing).toBe(1)
    expect(output).toContain('BUILDPACK_COMMAND_MISSING')
  })
})

describe('platform', () => {
  function binding(name: string, files: Record<string, string>): void {
    for (const [key, text] of Object.entries(files)) {
      mkdirSync(join(at('platform', 'bindings', name), key, '..'), { recursive: true })
      writeFileSync(at('platform', 'bindings', name, key), text)
    }
  }

  it("reads bindings of both forms, the user's before the machine's", async () => {
    binding('host-npmrc', { type: 'npmrc', '.npmrc': 'registry=https://host.example/' })
    binding('z', { type: 'NPMRC\n', '.npmrc': 'registry=https://mine.example/' })
    binding('old', { 'metadata/kind': 'maven', 'secret/settings.xml': '<settings/>' })
    binding('none', { key: 'x' })
    await build(async ({ platform, network }) => {
      expect((await platform.bindings('npmrc')).map(({ name }) => name)).toEqual(['z', 'host-npmrc'])
      expect((await platform.bindings('maven'))[0]?.files).toEqual({ 'settings.xml': '<settings/>' })
      expect(await platform.bindings()).toHaveLength(3)
      expect((await network.access()).settings.npm?.registry).toBe('https://mine.example/')
      return {}
    })
    expect(output).toBe('')
  })

  it('hands proxies and certificates to programs that download', async () => {
    const pem = '-----BEGIN CERTIFICATE-----\nT1dO\n-----END CERTIFICATE-----\n'
    binding('proxy', { type: 'proxy', http: 'http://u:p@proxy.example:3128', 'no-proxy': 'localhost' })
    binding('ca', { type: 'ca-certificates', 'a.pem': pem })
    await build(async ({ network }) => {
      const variables = await network.variables()
      expect(variables).toMatchObject({ http_proxy: 'http://u:p@proxy.example:3128/', NO_PROXY: 'localhost' })
      expect(variables.HTTPS_PROXY).toBeUndefined()
      expect(readFileSync(variables.NODE_EXTRA_CA_CERTS ?? '', 'utf8')).toBe(pem)
      return {}
    })
    expect(output).toBe('')
  })

  it('reads the variables that clear-env hides', async () => {
    mkdirSync(at('platform', 'env'))
    writeFileSync(at('platform', 'env', 'A'), 'b\n')
    await build(async ({ platform }) => {
      expect(await platform.env()).toEqual({ A: 'b\n' })
      return {}
    })
    expect(output).toBe('')
  })
})
