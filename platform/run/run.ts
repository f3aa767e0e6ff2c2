import { randomBytes } from 'node:crypto'
import { constants, mkdirSync, rmSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { type ContainerPath, containerPath } from '../../core/container-path.ts'
import { SlipwayError } from '../../core/error.ts'
import type { Emit } from '../../core/event.ts'
import { mountedRoot } from '../../core/root.ts'
import type { RunStatus } from '../../core/runner.ts'
import { familiarName, type Reference } from '../../oci/reference.ts'
import { environmentOf } from '../image/environment.ts'
import { imageUser } from '../image/user.ts'
import { runApplication } from '../sandbox/application.ts'
import type { Session } from '../session.ts'

export interface RunRequest {
  readonly image: Reference
  /** Set as PORT; the application listens on the machine's own network. */
  readonly port?: number
  /** Process type instead of the image's default. */
  readonly process?: string
  readonly env: Readonly<Record<string, string>>
  /** Arguments for the process. */
  readonly args: readonly string[]
}

/**
 * Starts an image of the local store without a container engine, in the sandbox that builds run in, and waits for its
 * end. The root is read-only; the working directory is a copy that the application may write to, /tmp and the home are
 * empty, and all of it is gone afterwards.
 * @throws SlipwayError `RUN_IMAGE_MISSING`, `RUN_NO_ENTRYPOINT`, `SANDBOX_…`
 */
export async function runImage(request: RunRequest, session: Session, emit: Emit): Promise<RunStatus> {
  const { store, directories, program, settings } = session
  const image = await store.image(request.image)
  if (image === undefined) {
    throw new SlipwayError(
      'RUN_IMAGE_MISSING',
      `there is no image ${familiarName(request.image)} in the local store`,
      {
        subject: familiarName(request.image),
        hint: 'build it first: ./slipway build NAME --path FOLDER',
        class: 'usage',
      },
    )
  }
  const config = image.config.config ?? {}
  const [entrypoint, ...args] = [
    ...entry(config.Entrypoint, request),
    ...(request.args.length > 0 ? request.args : (config.Cmd ?? [])),
  ]
  if (entrypoint === undefined) {
    throw new SlipwayError('RUN_NO_ENTRYPOINT', `${familiarName(request.image)} names no program to start`, {
      subject: familiarName(request.image),
      class: 'usage',
    })
  }
  const rootfs = await store.unpack(image, 'Unpacking the image', emit)
  const { home, ...user } = imageUser(rootfs, config.User)
  const workspace = containerPath(config.WorkingDir || '/')
  const folder = join(directories.cache, 'runs', randomBytes(8).toString('hex'))
  try {
    const mounts = await writableCopies(rootfs, workspace, folder)
    return await runApplication(
      {
        rootfs,
        mounts,
        temporary: [containerPath('/tmp'), ...(home === '/' ? [] : [home])],
        user,
        baseEnvironment: environmentOf(image),
        network: 'host',
        helper: program.sandboxHelper,
        ...(settings.sandbox === undefined ? {} : { driver: settings.sandbox }),
      },
      {
        program: containerPath(entrypoint),
        args,
        cwd: workspace,
        env: {
          HOME: home,
          ...environmentOf(image),
          ...(request.port === undefined ? {} : { PORT: String(request.port) }),
          ...request.env,
        },
      },
    )
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

function entry(entrypoint: readonly string[] | null | undefined, request: RunRequest): readonly string[] {
  return request.process === undefined ? (entrypoint ?? []) : [`/cnb/process/${request.process}`]
}

/** The working directory as the application's own: a clone where the file system can, else a copy. */
async function writableCopies(rootfs: string, workspace: ContainerPath, folder: string) {
  if (workspace === '/') return []
  mkdirSync(folder, { recursive: true })
  const copy = join(folder, 'workspace')
  await cp(mountedRoot(rootfs, []).resolve(workspace), copy, {
    recursive: true,
    verbatimSymlinks: true,
    mode: constants.COPYFILE_FICLONE,
  })
  return [{ path: workspace, host: copy, writable: true }]
}
