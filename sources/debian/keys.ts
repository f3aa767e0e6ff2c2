import { readdirSync, readFileSync } from 'node:fs'
import { SlipwayError } from '../../core/error.ts'

/**
 * Debian's public archive keys as armored texts (see keys/README.md for where they are from).
 * @param directory default: `keys/` beside this module, which a bundle keeps beside itself.
 * @throws SlipwayError `SOURCE_DEBIAN_KEYS_MISSING` when the installation is not whole.
 */
export function debianArchiveKeys(directory: URL = new URL('./keys/', import.meta.url)): readonly string[] {
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith('.asc'))
    if (names.length > 0) return names.sort().map((name) => readFileSync(new URL(name, directory), 'utf8'))
  } catch (error) {
    throw missing(directory, error)
  }
  throw missing(directory, undefined)
}

function missing(directory: URL, cause: unknown): SlipwayError {
  return new SlipwayError(
    'SOURCE_DEBIAN_KEYS_MISSING',
    'the public keys of the Debian archive are not installed',
    {
      subject: directory.pathname,
      hint: 'this installation of Slipway is not whole: install it again',
      class: 'usage',
      ...(cause === undefined ? {} : { cause }),
    },
  )
}
