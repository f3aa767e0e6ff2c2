import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorChain, SlipwayError, systemCode } from '../../../core/error.ts'
import { DEFAULT_REGISTRY } from '../../reference.ts'
import { candidateKeys, type DockerConfig, HUB_KEY, lookUp, parseDockerConfig } from './docker-config.ts'
import { askHelper } from './helper.ts'
import type { Credential, CredentialSource } from './types.ts'

export interface DockerConfigOptions {
  /** Files to read, in their order; a missing one is passed over. {@link credentialFiles} has the usual ones. */
  readonly files: readonly string[]
  /** Environment of credential helpers, with the PATH they are found on. */
  readonly env: Readonly<Record<string, string | undefined>>
  /**
   * Told when a helper fails; the search then goes on, as the reference's does (lifecycle-behaviour §6.3), for most
   * images can be had without it.
   */
  readonly warn?: (message: string) => void
}

/**
 * The usual files (lifecycle-behaviour §6.3): docker's in `$DOCKER_CONFIG` or `~/.docker` (`.dockerconfigjson` is what a
 * mounted Kubernetes secret has), then podman's: `$REGISTRY_AUTH_FILE`, else in `$XDG_RUNTIME_DIR` and `~/.config`.
 */
export function credentialFiles(env: Readonly<Record<string, string | undefined>>): string[] {
  const set = (name: string) => (env[name] === undefined || env[name] === '' ? undefined : env[name])
  const home = set('HOME')
  const docker = set('DOCKER_CONFIG') ?? (home === undefined ? undefined : join(home, '.docker'))
  const files = docker === undefined ? [] : [join(docker, 'config.json'), join(docker, '.dockerconfigjson')]
  const named = set('REGISTRY_AUTH_FILE')
  if (named !== undefined) return [...files, named]
  const runtime = set('XDG_RUNTIME_DIR')
  const config = set('XDG_CONFIG_HOME') ?? (home === undefined ? undefined : join(home, '.config'))
  for (const directory of [runtime, config]) {
    if (directory !== undefined) files.push(join(directory, 'containers', 'auth.json'))
  }
  return files
}

/**
 * Credentials from docker's and podman's files and the helpers that they name. The first file that has one wins; within
 * a file the most particular key, its helper before the store before what stands in the file.
 * @throws SlipwayError `OCI_CREDENTIALS_INVALID` for a file that cannot be read or parsed
 */
export function dockerConfigCredentials(options: DockerConfigOptions): CredentialSource {
  let configs: Promise<readonly DockerConfig[]> | undefined
  return async (registry, repository) => {
    configs ??= readConfigs(options.files, options.warn)
    for (const config of await configs) {
      const credential = await find(config, registry, repository, options)
      if (credential !== undefined) return credential
    }
    return undefined
  }
}

async function readConfigs(
  files: readonly string[],
  warn: DockerConfigOptions['warn'],
): Promise<readonly DockerConfig[]> {
  const found = await Promise.all(
    files.map(async (file) => {
      const text = await readText(file, warn)
      return text === undefined ? undefined : parseDockerConfig(text, file)
    }),
  )
  return found.filter((config) => config !== undefined)
}

async function readText(file: string, warn: DockerConfigOptions['warn']): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code = systemCode(error) ?? ''
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code === 'EACCES' || code === 'EPERM') {
      // HOME of another user, as in a container that runs under an id of its own.
      warn?.(`cannot read the registry credentials in ${file}: permission denied`)
      return undefined
    }
    throw new SlipwayError('OCI_CREDENTIALS_INVALID', `cannot read the registry credentials in ${file}`, {
      subject: file,
      cause: error,
      class: 'usage',
    })
  }
}

async function find(
  config: DockerConfig,
  registry: string,
  repository: string,
  options: DockerConfigOptions,
): Promise<Credential | undefined> {
  const keys = candidateKeys(registry, repository)
  const helper = lookUp(config.credHelpers, keys) ?? config.credsStore
  const server = registry === DEFAULT_REGISTRY ? HUB_KEY : registry
  const kept = helper === undefined ? undefined : await ask(helper, server, options)
  return kept ?? lookUp(config.auths, keys)
}

async function ask(
  helper: string,
  server: string,
  options: DockerConfigOptions,
): Promise<Credential | undefined> {
  try {
    return await askHelper(helper, server, options.env)
  } catch (error) {
    options.warn?.(errorChain(error))
    return undefined
  }
}
