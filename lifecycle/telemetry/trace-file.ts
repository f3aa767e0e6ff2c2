import { closeSync, constants, lstatSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { SlipwayError, systemCode } from '../../core/error.ts'

const FOLDERS = ['tracing', 'lifecycle']
// Group readable, so that a platform may read it (RFC 0131, Access).
const FILE_MODE = 0o640

/**
 * Adds a line to `<layers>/tracing/lifecycle/<name>.jsonl` (RFC 0131, Location). Buildpacks write to that directory too, so
 * a link in it is not followed.
 * @throws SlipwayError `TELEMETRY_FILE` where it cannot be written
 */
export function appendToTraceFile(layers: string, name: string, line: string): void {
  const folder = join(layers, ...FOLDERS)
  const file = join(folder, `${name}.jsonl`)
  try {
    FOLDERS.reduce((above, folderName) => directory(join(above, folderName)), layers)
    const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants
    const descriptor = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, FILE_MODE)
    try {
      writeSync(descriptor, line)
    } finally {
      closeSync(descriptor)
    }
  } catch (cause) {
    throw new SlipwayError('TELEMETRY_FILE', `cannot write ${file}`, {
      subject: file,
      class: 'infrastructure',
      cause,
    })
  }
}

function directory(path: string): string {
  try {
    mkdirSync(path)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
    if (!lstatSync(path).isDirectory()) throw new Error(`${path} is no directory`)
  }
  return path
}
