import { readFileSync, rmSync } from 'node:fs'

/**
 * Killing a process at an exact place, with strace: between two system calls nothing that a process does can be seen from
 * outside, so killing it as it enters one of them, any of them, covers every state that it can leave behind. A run is
 * recorded first; then another one is killed as it enters, say, its third rename.
 */
export interface KillPoint {
  readonly call: string
  /** The how-manieth of its kind on the main thread, from 1. */
  readonly ordinal: number
  /** What the process was doing: `export: make layers`. Several where parts run side by side. */
  readonly steps: readonly string[]
}

/** What changes files, speaks to others or waits for them. Names that an architecture does not have are left out. */
const CALLS = [
  ...[
    'openat',
    'read',
    'pread64',
    'write',
    'pwrite64',
    'writev',
    'sendmsg',
    'connect',
    'close',
    'epoll_pwait',
  ],
  ...['rename', 'renameat', 'renameat2', 'link', 'linkat', 'unlink', 'unlinkat', 'rmdir', 'mkdir', 'mkdirat'],
  ...['symlink', 'symlinkat', 'ftruncate', 'fsync', 'chmod', 'fchmod', 'fchmodat', 'utimensat', 'getdents64'],
]
const optional = CALLS.map((call) => `?${call}`).join(',')

/** The command under which a process leaves a record of its system calls in `file`. */
export function recording(file: string): readonly [string, ...string[]] {
  return ['strace', '-o', file, '-s', '200', '-e', `trace=${optional}`]
}

/** The command under which a process is killed when it comes to `point`. The directories that it makes stand in `file`. */
export function killing({ call, ordinal }: KillPoint, file: string): readonly [string, ...string[]] {
  return [
    ...(['strace', '-o', file, '-s', '200'] as const),
    ...['-e', `trace=?mkdir,?mkdirat,${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${ordinal}`],
  ]
}

/** The places of a recorded run that are within named steps. */
export function killPoints(file: string): readonly KillPoint[] {
  const counts = new Map<string, number>()
  const open = new Set<string>()
  const points: KillPoint[] = []
  for (const line of readFileSync(file, 'latin1').split('\n')) {
    const call = /^(\w+)\(/.exec(line)?.[1]
    if (call === undefined) continue
    const ordinal = (counts.get(call) ?? 0) + 1
    counts.set(call, ordinal)
    if (open.size > 0) points.push({ call, ordinal, steps: [...open] })
    if (call === 'write') follow(open, line.replaceAll('\\"', '"'))
  }
  return points
}

/** The steps that a process was in when its output ended. */
export function openSteps(output: string): readonly string[] {
  const open = new Set<string>()
  for (const line of output.split('\n')) follow(open, line)
  return [...open]
}

const STEP = /"type":"step-(started|finished)","phase":"(\w+)","step":"([^"]+)"/

function follow(open: Set<string>, text: string): void {
  const [, what, phase, step] = STEP.exec(text) ?? []
  if (what === 'started') open.add(`${phase}: ${step}`)
  if (what === 'finished') open.delete(`${phase}: ${step}`)
}

/** Removes what a killed process left in /tmp, which a container's end takes with it. */
export function removeTemporary(file: string): void {
  for (const [, path = ''] of readFileSync(file, 'latin1').matchAll(/^mkdir(?:at)?\(.*?"(\/tmp\/[^/"]+)/gm)) {
    if (/^\/tmp\/(?:detect|build|output)\.\w+$/.test(path)) rmSync(path, { recursive: true, force: true })
  }
}
