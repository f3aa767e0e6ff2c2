import { spawn } from 'node:child_process'

/** Who a container runs as. */
export interface User {
  readonly uid: number
  readonly gid: number
}

export interface Container {
  /** A folder of this machine that is the file system, read-only. */
  readonly image: string
  readonly user: User
  /** Folders of this machine by the paths where the image has folders for them. */
  readonly volumes: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
  readonly command: readonly string[]
}

export interface Ended {
  readonly code: number
  /** What it wrote, both streams. */
  readonly output: string
}

/** Binds the volumes into the image, makes all else read-only, and starts what follows `--`. */
const MOUNT = `
R=$1; shift
mount --bind "$R" "$R"
mount -o remount,bind,ro "$R"
while [ "$1" != -- ]; do mount --bind "$2" "$R$1"; shift 2; done
shift
mount --bind /dev/null "$R/dev/null"
exec "$@"
`

/**
 * Runs a container to its end: in namespaces of its own with root's help where the test is root, and then with the very
 * ids; else as the test's own user under those ids.
 */
export function runContainer({ image, user, volumes, env, command }: Container): Promise<Ended> {
  const isRoot = process.getuid?.() === 0
  const { uid, gid } = user
  const enter = isRoot
    ? ['chroot', `--userspec=${uid}:${gid}`, '--groups=', image]
    : ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`, `--root=${image}`]
  const namespaces = isRoot ? ['--mount'] : ['--user', '--map-root-user', '--mount']
  const mounts = Object.entries(volumes).flat()
  const args = [...namespaces, 'sh', '-euc', MOUNT, 'sh', image, ...mounts, '--', ...enter, ...command]
  return new Promise((resolve, reject) => {
    const child = spawn('unshare', args, {
      env: { ...env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? -1, output }))
  })
}
