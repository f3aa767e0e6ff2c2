import { accessSync, constants } from 'node:fs'
import { ancestors, isWithin } from '../../core/container-path.ts'
import {
  ARGUMENTS_DESCRIPTOR,
  type Driver,
  HELPER_DESCRIPTOR,
  HOSTNAME,
  type Plan,
  type PlannedMount,
  userSteps,
} from './driver.ts'

/**
 * A sandbox by bubblewrap, which some distributions allow more than other programs. It makes namespaces and mounts; the
 * helper is executed from a descriptor, so that nothing of it is to be seen inside.
 *
 * For root bubblewrap works without a user namespace of its own and keeps just what the helper needs to become an
 * unprivileged user: sources may then stand where that user could not go.
 */
export const bubblewrapDriver: Driver = {
  name: 'bubblewrap',
  program: () => findProgram('bwrap'),
  args: ['--args', String(ARGUMENTS_DESCRIPTOR), '--', `/proc/self/fd/${HELPER_DESCRIPTOR}`],
  hiddenArgs: (plan) => [
    ...privileges(plan),
    '--unshare-ipc',
    '--unshare-pid',
    '--unshare-uts',
    '--unshare-cgroup-try',
    ...(plan.network === 'none' ? ['--unshare-net'] : []),
    '--hostname',
    HOSTNAME,
    '--die-with-parent',
    '--new-session',
    '--as-pid-1',
    '--clearenv',
    '--ro-bind',
    plan.rootfs,
    '/',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    ...freshDirectory('/dev/shm'),
    ...plan.mounts.flatMap((mount) => [...parents(plan, mount), ...mountArgs(mount)]),
    '--chdir',
    '/',
  ],
  steps: (plan) => (plan.become === undefined ? [] : userSteps(plan)),
}

function mountArgs(mount: PlannedMount): string[] {
  if (mount.kind === 'tmpfs') return freshDirectory(mount.target)
  return [mount.writable ? '--bind' : '--ro-bind', mount.source, mount.target]
}

/** Directories on the way from a fresh one to a mount in it: bubblewrap would close them to all but itself. */
function parents(plan: Plan, mount: PlannedMount): string[] {
  const fresh = plan.mounts.findLast(
    (other) => other !== mount && isWithin(mount.target, other.target) && other.target !== mount.target,
  )
  if (fresh?.kind !== 'tmpfs') return []
  return ancestors(mount.target)
    .filter((path) => path !== fresh.target && isWithin(path, fresh.target))
    .flatMap((path) => ['--perms', '1777', '--dir', path])
}

/** For everybody, as /tmp is. */
function freshDirectory(path: string): string[] {
  return ['--perms', '1777', '--tmpfs', path]
}

function privileges({ become, user }: Plan): string[] {
  if (become === undefined) return ['--unshare-user', '--uid', String(user.uid), '--gid', String(user.gid)]
  return ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'].flatMap((name) => ['--cap-add', name])
}

/** Folders of a distribution's programs; PATH may name others, of whoever wrote it. */
const FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin', '/run/current-system/sw/bin']

function findProgram(name: string): string | undefined {
  return FOLDERS.map((folder) => `${folder}/${name}`).find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
