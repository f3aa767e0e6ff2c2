import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { arch } from 'node:os'
import { join, resolve } from 'node:path'

/** A lifecycle as it stands in a builder: a folder with its phases. */
export interface Lifecycle {
  readonly name: 'ours' | 'reference'
  readonly folder: string
  readonly version: string
}

const top = resolve(import.meta.dirname, '..')

/** Our lifecycle as platforms get it: packaged (`npm run lifecycle:package`) and unpacked. */
export function packageOurs(folder: string): Lifecycle {
  const dist = join(folder, 'dist')
  execFileSync(process.execPath, [join(top, 'builders/package/start.mjs'), dist], { stdio: 'ignore' })
  const ending = arch() === 'x64' ? 'x86-64.tgz' : 'arm64.tgz'
  const archive = readdirSync(dist).find((name) => name.endsWith(ending)) ?? ''
  const unpacked = join(folder, 'ours')
  mkdirSync(unpacked)
  execFileSync('tar', ['-xzf', join(dist, archive), '-C', unpacked])
  return lifecycle('ours', join(unpacked, 'lifecycle'))
}

/** The Go lifecycle, built by somebody else; undefined where none is named. */
export function referenceOf(env: Readonly<Record<string, string | undefined>>): Lifecycle | undefined {
  const folder = env.REFERENCE_LIFECYCLE
  if (folder === undefined || folder === '') return undefined
  if (!existsSync(join(folder, 'exporter')))
    throw new Error(`there is no exporter in REFERENCE_LIFECYCLE=${folder}`)
  return lifecycle('reference', resolve(folder))
}

function lifecycle(name: Lifecycle['name'], folder: string): Lifecycle {
  const version = execFileSync(join(folder, 'lifecycle'), ['-version'], { encoding: 'utf8' }).trim()
  return { name, folder, version }
}
