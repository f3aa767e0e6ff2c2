import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SlipwayError } from '../core/error.ts'

/** The installed program, as platform/setup/bundle.mjs lays it out: what a builder image is assembled from. */
export interface Program {
  readonly version: string
  /** `amd64` or `arm64`, in the words of OCI. */
  readonly architecture: 'amd64' | 'arm64'
  readonly directory: string
  readonly node: string
  /** What stands flat in a builder's /cnb/lifecycle beside the native programs, by name. */
  readonly lifecycle: Readonly<Record<string, string>>
  readonly launcher: string
  readonly starter: string
  readonly sandboxHelper: string
  /** Folders of the bundled buildpacks, by name. */
  readonly buildpacks: Readonly<Record<string, string>>
}

/** @throws SlipwayError `PROGRAM_INCOMPLETE` where `directory` is not such a folder. */
export function readProgram(directory: string): Program {
  let facts: { version: string; architecture: Program['architecture'] }
  try {
    facts = JSON.parse(readFileSync(join(directory, 'program.json'), 'utf8'))
  } catch (cause) {
    throw new SlipwayError('PROGRAM_INCOMPLETE', 'the installed program is not complete', {
      subject: directory,
      hint: 'remove that folder and run ./slipway again: it installs the program anew',
      cause,
    })
  }
  const native = join(directory, 'native', facts.architecture)
  return {
    ...facts,
    directory,
    node: join(directory, 'node'),
    lifecycle: below(join(directory, 'lifecycle')),
    launcher: join(native, 'launcher'),
    starter: join(native, 'starter'),
    sandboxHelper: join(native, 'sandbox'),
    buildpacks: below(join(directory, 'buildpacks')),
  }
}

/** Paths of a folder's entries by their names, in the order of the names. */
function below(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, join(folder, name)]),
  )
}
