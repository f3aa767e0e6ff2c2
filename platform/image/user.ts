import { type ContainerPath, containerPath } from '../../core/container-path.ts'
import { SlipwayError } from '../../core/error.ts'
import { mountedRoot } from '../../core/root.ts'

/** Whom an image's programs run as inside. */
export interface ImageUser {
  readonly uid: number
  readonly gid: number
  /** `/` for a user without an entry in the root's passwd. */
  readonly home: ContainerPath
}

/**
 * The user that an image's configuration names: `uid`, `uid:gid`, `name` or `name:group`, looked up in the root's own
 * passwd and group (image-spec, config.User). An image that names nobody would run as root: it gets an ordinary user.
 * @throws SlipwayError `RUN_USER_UNKNOWN`
 */
export function imageUser(rootfs: string, user: string | undefined): ImageUser {
  const root = mountedRoot(rootfs, [])
  const table = (path: string): string[][] =>
    (root.readText(containerPath(path)) ?? '').split('\n').map((line) => line.split(':'))
  const passwd = table('/etc/passwd')
  const [name = '', group] = (user || '1000:1000').split(':')
  const entry = passwd.find((fields) => fields[0] === name || fields[2] === name)
  const uid = numeric(name) ?? numeric(entry?.[2])
  const groupOf = (wanted: string) =>
    numeric(wanted) ?? numeric(table('/etc/group').find((fields) => fields[0] === wanted)?.[2])
  const gid = group === undefined ? (numeric(entry?.[3]) ?? uid) : groupOf(group)
  if (uid === undefined || gid === undefined) {
    throw new SlipwayError(
      'RUN_USER_UNKNOWN',
      `the image runs as ${JSON.stringify(user)}, whom it does not know`,
      {
        subject: user ?? '',
        hint: 'the user and group of an image must be numbers, or stand in its /etc/passwd and /etc/group',
        class: 'user',
      },
    )
  }
  return { uid, gid, home: containerPath(entry?.[5]?.startsWith('/') ? entry[5] : '/') }
}

function numeric(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined
}
