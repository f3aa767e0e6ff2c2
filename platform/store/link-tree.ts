import { chmodSync, linkSync, mkdirSync, readdirSync, readlinkSync, statSync, symlinkSync } from 'node:fs'
import { hostBytes } from '../../core/root.ts'

/**
 * Makes a second tree of the same files: directories anew with their modes, links copied, files as hard links. Both
 * trees must from then on only have files replaced, never written through. `to` must exist.
 */
export function linkTree(from: string, to: string): void {
  for (const entry of readdirSync(hostBytes(from), { withFileTypes: true, encoding: 'latin1' as 'utf8' })) {
    const source = `${from}/${entry.name}`
    const target = `${to}/${entry.name}`
    if (entry.isDirectory()) {
      mkdirSync(hostBytes(target))
      linkTree(source, target)
    } else if (entry.isSymbolicLink()) {
      symlinkSync(readlinkSync(hostBytes(source), 'buffer'), hostBytes(target))
    } else if (entry.isFile()) linkSync(hostBytes(source), hostBytes(target))
  }
  chmodSync(hostBytes(to), statSync(hostBytes(from)).mode & 0o7777)
}
