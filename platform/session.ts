import { mkdirSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { Emit } from '../core/event.ts'
import type { HttpClient, ProxySettings } from '../core/http/types.ts'
import type { Registry } from '../oci/registry/types.ts'
import { parseToml } from '../spec/toml/parse.ts'
import { type Directories, directories } from './config/directories.ts'
import { readSettings, type Settings } from './config/settings.ts'
import type { Program } from './program.ts'
import { type ImageStore, openStore } from './store/store.ts'

/** The caller's environment: the one place from which the platform room takes it. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What a command works with. Nothing that needs the network, or a heavy module, is made before it is asked for. */
export interface Session extends AsyncDisposable {
  readonly program: Program
  readonly directories: Directories
  readonly settings: Settings
  readonly env: Environment
  readonly store: ImageStore
  /** Speaks through the machine's proxies, those of `proxy` first, and trusts its certificates. */
  http(proxy?: ProxySettings): Promise<HttpClient>
  /** Registries, with the caller's docker and podman credentials. They stay in this process. */
  registry(emit: Emit, insecure: readonly string[]): Promise<Registry>
  /** Says how to undo what is under way if the command is ended by a signal; disposing of the answer takes it back. */
  onAbandon(undo: () => void | PromiseLike<void>): Disposable
  /** Undoes what is under way, the latest first. */
  abandon(): Promise<void>
}

/** Runs `work`; a signal meanwhile undoes what is under way and ends this process with the signal's exit code. */
export async function interruptible<T>(session: Session, work: () => Promise<T>): Promise<T> {
  let asked = false
  const end = (signal: NodeJS.Signals): void => {
    const code = 128 + constants.signals[signal]
    if (asked) process.exit(code)
    asked = true
    void session.abandon().finally(() => process.exit(code))
  }
  for (const signal of ENDING) process.on(signal, end)
  try {
    return await work()
  } finally {
    for (const signal of ENDING) process.off(signal, end)
  }
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export function openSession(program: Program, env: Environment): Session {
  const places = directories(env)
  const settings = readSettings(places.config, env)
  mkdirSync(places.data, { recursive: true })
  mkdirSync(places.cache, { recursive: true })
  const undos: (() => void | PromiseLike<void>)[] = []
  const clients = new Map<string, Promise<HttpClient>>()
  const http = (proxy: ProxySettings = {}): Promise<HttpClient> => {
    const key = JSON.stringify(proxy)
    const client = clients.get(key) ?? connect(program, env, proxy)
    clients.set(key, client)
    return client
  }
  const store = openStore(join(places.data, 'store'))
  return {
    program,
    directories: places,
    settings,
    env,
    store,
    http,
    registry: async (emit, insecure) => {
      const oci = await import('../oci/registry/index.ts')
      const client = await http()
      const warn = (message: string) => emit({ type: 'warning', message })
      const clouds = settings.cloudIdentities ? [oci.cloudCredentials({ http: client, env, warn })] : []
      return oci.createRegistry({
        http: client,
        emit,
        sharing: store.layout.sharing,
        insecure: [...settings.insecureRegistries, ...insecure],
        rules: oci.readPullRules(env, (text, file) => parseToml(text, { file })),
        credentials: oci.credentialChain(
          oci.registryAuthCredentials(env.CNB_REGISTRY_AUTH ?? ''),
          oci.dockerConfigCredentials({ files: oci.credentialFiles(env), env, warn }),
          ...clouds,
        ),
      })
    },
    onAbandon: (undo) => {
      undos.push(undo)
      return { [Symbol.dispose]: () => void undos.splice(undos.indexOf(undo), 1) }
    },
    abandon: async () => {
      for (const undo of undos.splice(0).reverse()) await undo()
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients.values()) await (await client).close()
    },
  }
}

async function connect(program: Program, env: Environment, proxy: ProxySettings): Promise<HttpClient> {
  const { certsD, certsDDirectories, createHttpClient, httpOptionsFromEnvironment, systemCertificates } =
    await import('../core/http/index.ts')
  return createHttpClient({
    proxy: { ...httpOptionsFromEnvironment(env).proxy, ...proxy },
    certificates: systemCertificates(env),
    hostTls: certsD(certsDDirectories(env)),
    userAgent: `slipway/${program.version}`,
  })
}
