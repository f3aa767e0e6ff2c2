import { join } from 'node:path'
import { SlipwayError } from '../../core/error.ts'

/** Where Slipway keeps its state: the XDG base directories, or all of it under `SLIPWAY_HOME` where that is set. */
export interface Directories {
  /** What is worth keeping: the image store and unpacked builders. */
  readonly data: string
  /** What can be made again: caches of builds and downloads, builds under way. */
  readonly cache: string
  /** `config.toml`. */
  readonly config: string
}

/** @throws SlipwayError `CONFIG_NO_HOME` */
export function directories(env: Readonly<Record<string, string | undefined>>): Directories {
  const all = absolute(env.SLIPWAY_HOME)
  if (all !== undefined)
    return { data: join(all, 'data'), cache: join(all, 'cache'), config: join(all, 'config') }
  const home = (variable: string, below: string): string => {
    const base = absolute(env[variable]) ?? (absolute(env.HOME) && join(env.HOME as string, below))
    if (base !== undefined && base !== '') return join(base, 'slipway')
    throw new SlipwayError('CONFIG_NO_HOME', 'there is no folder to keep images and caches in', {
      subject: variable,
      hint: `set HOME, ${variable} or SLIPWAY_HOME to an absolute path`,
      class: 'usage',
    })
  }
  return {
    data: home('XDG_DATA_HOME', '.local/share'),
    cache: home('XDG_CACHE_HOME', '.cache'),
    config: home('XDG_CONFIG_HOME', '.config'),
  }
}

/** The XDG specification says that a relative path is to be ignored. */
function absolute(path: string | undefined): string | undefined {
  return path?.startsWith('/') ? path : undefined
}
