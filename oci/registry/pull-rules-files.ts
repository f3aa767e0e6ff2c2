import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemCode } from '../../core/error.ts'
import { type PullRule, parsePullRules } from './pull-rules.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The rules of the file that `CONTAINERS_REGISTRIES_CONF` names, else of the user's or the machine's `registries.conf` and
 * of the files in `registries.conf.d` beside it.
 * @param parse TOML to a table; this room knows no TOML
 * @throws SlipwayError `OCI_REGISTRIES_CONF_INVALID`, and what `parse` throws
 */
export function readPullRules(
  env: Environment,
  parse: (text: string, file: string) => unknown,
): readonly PullRule[] {
  return registriesConfFiles(env).flatMap((file) => {
    const text = readIfThere(file)
    return text === undefined ? [] : parsePullRules(parse(text, file), file)
  })
}

/** The files that count, the less important first. */
function registriesConfFiles(env: Environment): string[] {
  const named = env.CONTAINERS_REGISTRIES_CONF
  if (named) return [named]
  const config = env.XDG_CONFIG_HOME || (env.HOME ? join(env.HOME, '.config') : undefined)
  const machine = '/etc/containers/registries.conf'
  const own = config === undefined ? undefined : join(config, 'containers', 'registries.conf')
  if (own === undefined) return [machine, ...dropIns(machine)]
  // The user's takes the place of the machine's; what lies beside them adds up.
  const main = readIfThere(own) === undefined ? machine : own
  return [main, ...dropIns(machine), ...dropIns(own)]
}

function dropIns(file: string): string[] {
  const directory = join(dirname(file), 'registries.conf.d')
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(directory, name))
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return []
  }
}

/** Undefined for a file that is missing, or not for us to see. */
function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return undefined
  }
}
