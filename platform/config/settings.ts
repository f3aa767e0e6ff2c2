import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SlipwayError, systemCode } from '../../core/error.ts'
import { parseToml } from '../../spec/toml/parse.ts'
import { isTable, type TomlTable, type TomlValue } from '../../spec/toml/value.ts'

/** `config.toml` and the environment variables that stand for its keys (environment wins over file). */
export interface Settings {
  /** `[debian] mirror`, SLIPWAY_DEBIAN_MIRROR: where Debian's packages come from on a machine whose apt does not say. */
  readonly debianMirror?: string
  /** `[debian] security-mirror`, SLIPWAY_DEBIAN_SECURITY_MIRROR. */
  readonly debianSecurityMirror?: string
  /** `[registry] insecure`, SLIPWAY_INSECURE_REGISTRIES (comma-separated): registries without verified TLS. */
  readonly insecureRegistries: readonly string[]
  /**
   * `[registry] cloud-identities`, SLIPWAY_CLOUD_IDENTITIES: whether the identity that a cloud gives this machine is used
   * for that cloud's registry. True unless it is `false`.
   */
  readonly cloudIdentities: boolean
  /** `[run-image] name`, SLIPWAY_RUN_IMAGE: name of the default builder's run image. */
  readonly runImage?: string
  /** `[sandbox] driver`, SLIPWAY_SANDBOX: `bubblewrap` or `unshare` instead of the first that works. */
  readonly sandbox?: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** @throws SlipwayError `CONFIG_INVALID`, `SPEC_TOML_SYNTAX` */
export function readSettings(directory: string, env: Environment): Settings {
  const file = join(directory, 'config.toml')
  return settings(file, readIfThere(file), env)
}

/** The settings of a configuration file's text (empty where there is none) and an environment. */
export function settings(file: string, text: string, env: Environment): Settings {
  const table = parseToml(text, { file })
  const one = (section: string, key: string, variable: string): string | undefined => {
    const value = env[variable] || lookup(table, section, key)
    if (value === undefined || typeof value === 'string') return value
    throw invalid(file, `${section}.${key}`, 'a string')
  }
  const debianMirror = one('debian', 'mirror', 'SLIPWAY_DEBIAN_MIRROR')
  const debianSecurityMirror = one('debian', 'security-mirror', 'SLIPWAY_DEBIAN_SECURITY_MIRROR')
  const runImage = one('run-image', 'name', 'SLIPWAY_RUN_IMAGE')
  const sandbox = one('sandbox', 'driver', 'SLIPWAY_SANDBOX')
  return {
    insecureRegistries:
      env.SLIPWAY_INSECURE_REGISTRIES?.split(',').filter(Boolean) ??
      strings(file, table, 'registry', 'insecure'),
    cloudIdentities: flag(file, table, env.SLIPWAY_CLOUD_IDENTITIES),
    ...(debianMirror === undefined ? {} : { debianMirror }),
    ...(debianSecurityMirror === undefined ? {} : { debianSecurityMirror }),
    ...(runImage === undefined ? {} : { runImage }),
    ...(sandbox === undefined ? {} : { sandbox }),
  }
}

function lookup(table: TomlTable, section: string, key: string): TomlValue | undefined {
  const inner = table[section]
  return isTable(inner) ? inner[key] : undefined
}

function strings(file: string, table: TomlTable, section: string, key: string): readonly string[] {
  const value = lookup(table, section, key) ?? []
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value as string[]
  throw invalid(file, `${section}.${key}`, 'an array of strings')
}

function flag(file: string, table: TomlTable, variable: string | undefined): boolean {
  const value = variable || (lookup(table, 'registry', 'cloud-identities') ?? true)
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw invalid(file, 'registry.cloud-identities', 'true or false')
}

function invalid(file: string, key: string, expected: string): SlipwayError {
  return new SlipwayError('CONFIG_INVALID', `${key} in ${file} must be ${expected}`, {
    subject: file,
    class: 'usage',
  })
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return ''
    throw new SlipwayError('CONFIG_INVALID', `${file} cannot be read`, {
      subject: file,
      cause: error,
      class: 'usage',
    })
  }
}
