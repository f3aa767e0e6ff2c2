import {
  chmodSync,
  constants,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { SlipwayError } from '../../core/error.ts'
import { hostBytes } from '../../core/root.ts'

/** Decides what of the application is left out; gets paths relative to it, directories with a trailing slash. */
export type Exclude = (path: string) => boolean

/**
 * Copies the application to where the build sees it. Modes become 0755 (directories and what is executable) or 0644,
 * so that two people's umasks give one image; links are copied as they are, sockets and devices are left out.
 * Cloned instead of copied where the file system can.
 * @throws SlipwayError `BUILD_APP_UNREADABLE`
 */
export function copyApplication(
  from: string,
  to: string,
  exclude: Exclude = () => false,
): { files: number; bytes: number } {
  const counted = { files: 0, bytes: 0 }
  const copyDirectory = (relative: string): void => {
    const target = relative === '' ? to : join(to, relative)
    mkdirSync(hostBytes(target), { recursive: true })
    chmodSync(hostBytes(target), 0o755)
    const source = relative === '' ? from : join(from, relative)
    for (const name of readdirSync(hostBytes(source), 'latin1'))
      copyEntry(relative === '' ? name : `${relative}/${name}`)
  }
  const copyEntry = (relative: string): void => {
    const source = hostBytes(join(from, relative))
    const target = hostBytes(join(to, relative))
    const stat = lstatSync(source)
    if (exclude(stat.isDirectory() ? `${relative}/` : relative)) return
    if (stat.isDirectory()) copyDirectory(relative)
    else if (stat.isSymbolicLink()) symlinkSync(readlinkSync(source, 'buffer'), target)
    else if (stat.isFile()) {
      copyFileSync(source, target, constants.COPYFILE_FICLONE)
      chmodSync(target, (stat.mode & 0o111) === 0 ? 0o644 : 0o755)
      counted.files++
      counted.bytes += stat.size
    }
  }
  try {
    if (!lstatSync(from).isDirectory()) throw new Error('not a directory')
    copyDirectory('')
  } catch (cause) {
    throw new SlipwayError('BUILD_APP_UNREADABLE', `the application could not be read: ${from}`, {
      subject: from,
      hint: 'give the folder of the source code with --path',
      class: 'user',
      cause,
    })
  }
  return counted
}
