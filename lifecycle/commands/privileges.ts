import { chownSync, lchownSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { SlipwayError, systemCode } from '../../core/error.ts'
import { fileNameOf } from '../../spec/names.ts'
import { act, Failure } from './failure.ts'

/** Who a command runs as (cnb-spec C-9). */

function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** Phases that run buildpacks do not do so as root. @throws Failure exit 1 */
export function refuseRoot(action: string, uid = process.getuid?.()): void {
  if (uid !== 0) return
  throw new Failure(
    action,
    new SlipwayError('LIFECYCLE_REFUSES_ROOT', 'refusing to run as root', {
      hint: 'Run it as the user of the build image (CNB_USER_ID).',
      class: 'usage',
    }),
  )
}

/** Whether {@link dropPrivileges} will change anything. */
export function willDrop(uid: number, gid: number): boolean {
  return isRoot() && (uid !== 0 || gid !== 0)
}

/**
 * As root: gives the directories to the user, then becomes that user for good, without any of root's groups. As anybody
 * else nothing is tried: a platform that starts a phase under some id has seen to its directories.
 * @throws Failure exit 1
 */
export async function dropPrivileges(
  uid: number,
  gid: number,
  directories: readonly string[],
): Promise<void> {
  if (!isRoot()) return
  await act('chown volumes', () => {
    for (const directory of directories) if (directory !== '') ensureOwner(directory, uid, gid)
  })
  if (!willDrop(uid, gid)) return
  await act(`exec as user ${uid}:${gid}`, () => {
    process.setgroups?.([])
    process.setgid?.(gid)
    process.setuid?.(uid)
  })
}

const GROUP_WRITE = 0o020
const WORLD_WRITE = 0o002

/** Gives a tree to a user, unless it looks as if he could write there already: its top says so, as in the reference. */
export function ensureOwner(directory: string, uid: number, gid: number): void {
  const state = statSync(directory, { throwIfNoEntry: false })
  if (state === undefined) return
  const isWritable =
    state.uid === uid ||
    (state.gid === gid && (state.mode & GROUP_WRITE) !== 0) ||
    (state.mode & WORLD_WRITE) !== 0
  if (isWritable) return
  chownSync(directory, uid, gid)
  if (state.isDirectory()) chownContents(fileNameOf(directory), uid, gid)
}

function chownContents(directory: string, uid: number, gid: number): void {
  const entries = readdirSync(Buffer.from(directory, 'latin1'), { withFileTypes: true, encoding: 'buffer' })
  for (const entry of entries) {
    const path = join(directory, entry.name.toString('latin1'))
    // Never chown through a link: it may lead out of the volume.
    lchownSync(Buffer.from(path, 'latin1'), uid, gid)
    if (entry.isDirectory()) chownContents(path, uid, gid)
  }
}

/** `HOME` and `USER` of a user as /etc/passwd has them; nothing for one that it does not know (OpenShift's). */
export function userVariables(uid: number): Readonly<Record<string, string>> {
  for (const line of passwdLines()) {
    const [name = '', , id, , , home = ''] = line.split(':')
    if (id === String(uid)) return { HOME: home, USER: name }
  }
  return {}
}

function passwdLines(): readonly string[] {
  try {
    return readFileSync('/etc/passwd', 'utf8').split('\n')
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return []
  }
}
