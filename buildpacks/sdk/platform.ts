import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../../core/error.ts'
import { type Binding, HOST_BINDING_PREFIX } from '../../sources/registries/binding.ts'

/** A service binding with the directory it stands in. */
export interface PlatformBinding extends Binding {
  readonly path: string
}

export interface Platform {
  readonly path: string
  /** Bindings of a type, whatever its case: the user's before those that carry the machine's settings, each by name. */
  bindings(type?: string): Promise<readonly PlatformBinding[]>
  /** The user's variables as files under `<platform>/env`: the way to them where `clear-env` is set. */
  env(): Promise<Readonly<Record<string, string>>>
}

const LARGEST_KEY = 16 * 1024 * 1024

/**
 * Bindings are in `SERVICE_BINDING_ROOT` (servicebinding.io), else in `<platform>/bindings`; the older form with
 * `metadata/kind` and `secret/` is read too (cnb-spec §9.9).
 */
export function platform(path: string, env: Readonly<Record<string, string | undefined>>): Platform {
  const root = env.SERVICE_BINDING_ROOT || join(path, 'bindings')
  let all: Promise<readonly PlatformBinding[]> | undefined
  return {
    path,
    async bindings(type) {
      all ??= readBindings(root)
      const wanted = type?.toLowerCase()
      return (await all).filter((one) => wanted === undefined || one.type.toLowerCase() === wanted)
    },
    env: () => readFiles(join(path, 'env')),
  }
}

async function readBindings(root: string): Promise<readonly PlatformBinding[]> {
  const bindings: PlatformBinding[] = []
  for (const name of await names(root)) {
    const path = join(root, name)
    const files = await readFiles(path)
    const legacy = await readFiles(join(path, 'metadata'))
    const { type = legacy.kind, ...keys } = files
    if (type === undefined) continue
    bindings.push({
      name,
      type: type.trim(),
      path,
      files: { ...(await readFiles(join(path, 'secret'))), ...keys },
    })
  }
  const isHost = ({ name }: PlatformBinding) => Number(name.startsWith(HOST_BINDING_PREFIX))
  return bindings.sort((a, b) => isHost(a) - isHost(b) || (a.name < b.name ? -1 : 1))
}

/** Files of a directory with their contents; links are followed, as Kubernetes mounts secrets through them. */
async function readFiles(directory: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const name of await names(directory)) {
    const path = join(directory, name)
    const state = await stat(path).catch(() => undefined)
    if (state?.isFile() === true && state.size <= LARGEST_KEY) files[name] = await readFile(path, 'utf8')
  }
  return files
}

/** Names in a directory, less Kubernetes' own `..data`. */
async function names(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => !name.startsWith('..')).sort()
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return []
    throw error
  }
}
