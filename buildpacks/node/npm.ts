/** The npm that this buildpack carries: where it is, with which settings it runs, and what its failures mean. */
import { readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type BuildContext, type CommandResult, type Layer, SlipwayError } from '../sdk/index.ts'
import { mergeCredentials, type NpmRegistry } from '../sdk/sources.ts'

export interface CarriedNpm {
  readonly path: string
  readonly version: string
  /** The Node versions it runs on. */
  readonly nodeRange: string
}

/** @throws SlipwayError `NODE_NPM_MISSING` where the buildpack was put together without npm. */
export async function locateNpm(buildpackDir: string): Promise<CarriedNpm> {
  for (const path of [join(buildpackDir, 'npm'), join(buildpackDir, '..', 'npm')]) {
    if ((await stat(join(path, 'bin', 'npm-cli.js')).catch(() => undefined)) === undefined) continue
    const { version, engines } = JSON.parse(await readFile(join(path, 'package.json'), 'utf8'))
    return { path, version: String(version), nodeRange: String(engines?.node ?? '*') }
  }
  throw new SlipwayError('NODE_NPM_MISSING', 'this buildpack was assembled without npm', {
    subject: join(buildpackDir, 'npm'),
    hint: 'Put the pinned npm package beside buildpack.cjs as npm/.',
    class: 'buildpack',
  })
}

/** Variables that npm gets whichever Node runs it: a cache of this build alone, the user's .npmrc, no chatter. */
export async function npmVariables(context: BuildContext): Promise<Record<string, string | undefined>> {
  const [binding] = await context.platform.bindings('npmrc')
  return {
    ...context.env,
    ...(await context.network.variables()),
    npm_config_cache: join(await context.temporary(), 'npm-cache'),
    npm_config_update_notifier: 'false',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_progress: 'false',
    npm_config_logs_max: '0',
    ...(binding?.files['.npmrc'] === undefined
      ? {}
      : { NPM_CONFIG_USERCONFIG: undefined, npm_config_userconfig: join(binding.path, '.npmrc') }),
  }
}

/**
 * The registry that npm would use in the app, asked of npm's own configuration code in this process: the app's Node is not
 * here yet to run it.
 */
export async function npmRegistry(npm: CarriedNpm, context: BuildContext): Promise<NpmRegistry> {
  const load = createRequire(join(npm.path, 'package.json'))
  const Config = load('@npmcli/config') as NpmConfigClass
  const config = new Config({
    ...(load('@npmcli/config/lib/definitions') as object),
    npmPath: npm.path,
    // npm writes what it finds back into these.
    env: { ...(await npmVariables(context)) },
    argv: ['node', 'npm'],
    cwd: context.app.path,
    warn: false,
  })
  await config.load()
  const credentials: Record<string, string> = {}
  const level = config.list[0] ?? {}
  for (const key in level) if (key.startsWith('//')) credentials[key] = String(level[key])
  const access = await context.network.access()
  return {
    url: String(config.get('registry')),
    credentials: mergeCredentials(access.credentials, { npm: credentials }),
    strictSsl: config.get('strict-ssl') !== false,
  }
}

interface NpmConfigClass {
  new (
    options: object,
  ): {
    load(): Promise<void>
    get(key: string): unknown
    /** Levels with the strongest first; each inherits from the next. */
    readonly list: readonly Record<string, unknown>[]
  }
}

/** Runs npm with the app's own Node. */
export type NpmRunner = (
  args: readonly string[],
  cwd: string,
  variables?: Readonly<Record<string, string>>,
) => Promise<CommandResult>

/**
 * @param commands the layer with `npm` and `npx` for scripts that call them
 * @param headers where node-gyp finds Node's headers, so that it fetches none
 */
export async function npmRunner(
  context: BuildContext,
  npm: CarriedNpm,
  runtime: Layer,
  commands: Layer,
  headers: Layer | undefined,
): Promise<NpmRunner> {
  const base = {
    ...(await npmVariables(context)),
    PATH: [join(runtime.path, 'bin'), join(commands.path, 'bin'), context.env.PATH ?? ''].join(':'),
    // node-gyp is Python: compiled files would carry times.
    PYTHONDONTWRITEBYTECODE: '1',
    HUSKY: '0',
    ...(headers === undefined ? {} : { npm_config_nodedir: headers.path }),
  }
  const node = join(runtime.path, 'bin', 'node')
  const cli = join(npm.path, 'bin', 'npm-cli.js')
  return (args, cwd, variables = {}) =>
    context.run(node, [cli, ...args], { cwd, env: { ...base, ...variables }, shows: withoutUsage() })
}

/**
 * npm prints its whole usage after some errors, advice about log files that it was told not to write, and a warning over
 * the one option that is node-gyp's.
 */
function withoutUsage(): (line: string) => boolean {
  let inUsage = false
  return (line) => {
    if (/^npm error Clean install a project/.test(line)) inUsage = true
    const isNoise = /^npm error Log files were not written|^npm warn Unknown env config "nodedir"/.test(line)
    const shown = !inUsage && !isNoise
    if (/^npm error Run "npm help /.test(line)) inUsage = false
    return shown
  }
}

interface Explanation {
  readonly pattern: RegExp
  readonly code: Uppercase<string>
  readonly message: string
  readonly hint: string
  readonly class: 'user' | 'infrastructure'
}

/** What npm's own codes mean for the person who builds; the first that fits counts. */
const EXPLANATIONS: readonly Explanation[] = [
  {
    pattern: /npm error code EUSAGE[\s\S]*in sync|Missing: .* from lock file|Invalid: lock file/,
    code: 'NODE_LOCK_OUT_OF_SYNC',
    message: 'the lock file does not match package.json',
    hint: 'Run "npm install" and commit the lock file.',
    class: 'user',
  },
  {
    pattern: /npm error code EINTEGRITY/,
    code: 'NODE_PACKAGE_INTEGRITY',
    message: 'a package is not the one that the lock file names: its digest differs',
    hint: 'A mirror changed it, or it was published anew: compare with the public registry before you lock it again.',
    class: 'infrastructure',
  },
  {
    pattern: /npm error code (E401|E403|ENEEDAUTH|EOTP)/,
    code: 'NODE_REGISTRY_DENIED',
    message: 'the npm registry denies access to a package',
    hint: 'Give the build a binding of type npmrc with the credentials, or use --host-credentials.',
    class: 'infrastructure',
  },
  {
    pattern: /npm error code (ETARGET|E404)/,
    code: 'NODE_PACKAGE_MISSING',
    message: 'the npm registry has no such package or version',
    hint: 'Check the name in package.json, and that the mirror carries it.',
    class: 'user',
  },
  {
    pattern: /npm error code (\w*CERT\w*|UNABLE_TO_\w+|SELF_SIGNED\w*)/,
    code: 'NODE_REGISTRY_CERTIFICATE',
    message: "the npm registry's certificate is not trusted",
    hint: "Give the build a binding of type ca-certificates with your company's authority.",
    class: 'infrastructure',
  },
  {
    pattern:
      /npm error code (ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|EPROTO|E5\d\d)/,
    code: 'NODE_REGISTRY_UNREACHABLE',
    message: 'the npm registry cannot be reached',
    hint: 'Check the network, the proxy (HTTPS_PROXY, NO_PROXY) and the registry of the npmrc binding.',
    class: 'infrastructure',
  },
  {
    pattern: /npm error code ENOSPC|no space left on device/,
    code: 'NODE_DISK_FULL',
    message: 'the disk is full',
    hint: 'Make room where the layers are and build again.',
    class: 'infrastructure',
  },
  {
    pattern: /npm error code EBADENGINE/,
    code: 'NODE_ENGINE_UNSUPPORTED',
    message: 'a package does not run on the Node.js version that was chosen',
    hint: 'Set engines.node in package.json, or BP_NODE_VERSION, to a version it takes.',
    class: 'user',
  },
  {
    pattern: /gyp ERR!/,
    code: 'NODE_NATIVE_MODULE_FAILED',
    message: 'a native module does not compile',
    hint: 'The build image needs python3, make and a C++ compiler; the output above names the module.',
    class: 'user',
  },
]

/** The error for an npm that failed. What it printed stands above in the log. */
export function npmError(action: string, result: CommandResult): SlipwayError {
  const found = EXPLANATIONS.find(({ pattern }) => pattern.test(result.tail))
  if (found !== undefined) {
    const { code, message, hint } = found
    const detail = /npm error ((?:Missing|Invalid): .*)/.exec(result.tail)?.[1]
    const said = code === 'NODE_LOCK_OUT_OF_SYNC' && detail !== undefined ? `${message}: ${detail}` : message
    return new SlipwayError(code, said, { subject: action, hint, class: found.class })
  }
  const how = result.signal === undefined ? `ended with code ${result.code}` : `was ended by ${result.signal}`
  const script = /^npm run (.+)$/.exec(action)?.[1]
  return new SlipwayError(
    script === undefined ? 'NODE_NPM_FAILED' : 'NODE_SCRIPT_FAILED',
    `${action} ${how}`,
    {
      subject: script === undefined ? action : `scripts.${script} in package.json`,
      hint:
        script === undefined
          ? 'The output above says why; "npm ci" in a fresh clone should fail in the same way.'
          : `The output above is the script's own; "npm ci && ${action}" in a fresh clone should fail in the same way.`,
      class: 'user',
    },
  )
}
