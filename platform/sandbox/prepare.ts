import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ContainerPath, components, containerPath, isWithin } from '../../core/container-path.ts'
import { SlipwayError } from '../../core/error.ts'
import { hostBytes, type Mount, mountedRoot } from '../../core/root.ts'
import { HOSTNAME, type Network, type PlannedMount } from './driver.ts'

/**
 * A host directory or file that a sandbox has at a path of its own. `host` holds latin1 bytes; nothing on the way to it
 * may be a build's to change.
 */
export interface SandboxMount extends Mount {
  readonly writable: boolean
}

/** What every sandbox has at these places, whatever the root holds there. */
const KERNEL_DIRECTORIES = ['/proc', '/dev'].map(containerPath)

/**
 * Decides what is mounted where, and makes the places: a mount needs a directory or a file to stand on, also where the
 * root has none. Links in the root are followed inside it; a root that is complete is not written to.
 * @throws SlipwayError `SANDBOX_MOUNT_SOURCE`, `SANDBOX_MOUNT_POINT`
 */
export function planMounts(
  rootfs: string,
  mounts: readonly SandboxMount[],
  temporary: readonly ContainerPath[],
): PlannedMount[] {
  const wanted: PlannedMount[] = [
    ...mounts.map(
      ({ path, host, writable }) => ({ kind: 'directory', source: host, target: path, writable }) as const,
    ),
    ...temporary
      .filter((path) => !mounts.some((mount) => mount.path === path))
      .map((target) => ({ kind: 'tmpfs', target }) as const),
  ]
  wanted.sort((a, b) => components(a.target).length - components(b.target).length)
  openToAll(rootfs)
  for (const path of KERNEL_DIRECTORIES)
    if (makePoint(rootfs, [], path, true) !== path) throw pointError(path, new Error('it is a link'))
  const planned: PlannedMount[] = []
  for (const mount of wanted) {
    const isDirectory = mount.kind === 'tmpfs' || isDirectorySource(mount.source)
    // What another mount covers is looked up there: its links and its missing directories count, not the root's.
    planned.push({ ...mount, target: makePoint(rootfs, planned, mount.target, isDirectory) })
  }
  return planned
}

function isDirectorySource(source: string): boolean {
  try {
    return statSync(hostBytes(source)).isDirectory()
  } catch (cause) {
    throw new SlipwayError('SANDBOX_MOUNT_SOURCE', `what a sandbox is to have does not exist: ${source}`, {
      subject: source,
      cause,
    })
  }
}

/** The programs' user must at least get through the root's own directory, which may be the work of mkdtemp. */
function openToAll(rootfs: string): void {
  const path = hostBytes(rootfs)
  if ((statSync(path).mode & 0o555) !== 0o555) chmodSync(path, 0o755)
}

/** Makes the place of a mount where there is none, and gives its path without links. */
function makePoint(
  rootfs: string,
  above: readonly PlannedMount[],
  target: ContainerPath,
  isDirectory: boolean,
): ContainerPath {
  // What is fresh at every run is made by the driver in every run.
  if (above.findLast((mount) => isWithin(target, mount.target))?.kind === 'tmpfs') return target
  const root = mountedRoot(
    rootfs,
    above.flatMap((mount) => (mount.kind === 'tmpfs' ? [] : [{ path: mount.target, host: mount.source }])),
  )
  const place = root.locate(target)
  try {
    const state = root.lstat(place)
    if (state === undefined && isDirectory) root.mkdir(place)
    else if (state === undefined) root.write(place, '')
    else if (state.isDirectory() !== isDirectory)
      throw new Error(isDirectory ? 'there is a file' : 'there is a directory')
  } catch (cause) {
    throw pointError(target, cause)
  }
  return place
}

function pointError(target: ContainerPath, cause: unknown): SlipwayError {
  return new SlipwayError(
    'SANDBOX_MOUNT_POINT',
    `nothing can be mounted at ${target}: its place could not be made`,
    {
      subject: target,
      hint: 'the unpacked root may belong to another user: remove it, and it is unpacked anew',
      cause,
    },
  )
}

/**
 * Files by which names are looked up, copied to `folder`: the machine's own with its network, and always the sandbox's
 * name, which some runtimes look up when they start.
 */
export function networkFiles(folder: string, network: Network): SandboxMount[] {
  const localhost = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n'
  const hosts = network === 'host' ? (readIfThere('/etc/hosts') ?? localhost) : localhost
  const resolver = network === 'host' ? readIfThere('/etc/resolv.conf') : undefined
  const files = {
    hosts: `${hosts.replace(/\n?$/, '\n')}127.0.0.1\t${HOSTNAME}\n`,
    ...(resolver === undefined ? {} : { 'resolv.conf': resolver }),
  }
  return Object.entries(files).map(([name, content]) => {
    const host = join(folder, name)
    writeFileSync(host, content, { mode: 0o644 })
    chmodSync(host, 0o644)
    return { path: containerPath(`/etc/${name}`), host, writable: false }
  })
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}
