import { closeSync, constants, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'

/**
 * One pipe for both outputs of a program. Node's own pipes are sockets, and a program cannot open `/dev/stdout` or
 * `/dev/stderr` on a socket (`tee /dev/stderr` is common in buildpacks); two of them would also lose the order of the
 * lines. So a named pipe is made, opened at both ends and removed again.
 */
export interface OutputPipe {
  /** For the program's stdout and stderr; close it once the program has it. */
  readonly writeEnd: number
  readonly readEnd: Socket
  /** Keeps the inode from being given to another pipe while this one is still asked for; close it last. */
  readonly held: number
  /** As it stands in `/proc/<pid>/fd`, to find out who still holds the pipe. */
  readonly device: bigint
  readonly inode: bigint
}

/** Makes the pipe, or gives undefined where that is not possible (no `mkfifo`, no writable `/tmp`). */
export function openOutputPipe(path: string | undefined): OutputPipe | undefined {
  let directory: string | undefined
  try {
    const { spawnSync } = process.getBuiltinModule('node:child_process')
    directory = mkdtempSync('/tmp/output.')
    const fifo = join(directory, 'pipe')
    const made = spawnSync('mkfifo', ['-m', '600', fifo], {
      env: { PATH: path ?? '/usr/local/bin:/usr/bin:/bin' },
      stdio: 'ignore',
    })
    if (made.status !== 0) return undefined
    const { Socket } = process.getBuiltinModule('node:net')
    const readFd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
    const writeEnd = openSync(fifo, constants.O_WRONLY)
    const held = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
    const { dev, ino } = fstatSync(writeEnd, { bigint: true })
    return {
      writeEnd,
      readEnd: new Socket({ fd: readFd, readable: true, writable: false }),
      held,
      device: dev,
      inode: ino,
    }
  } catch {
    return undefined
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  }
}

/** Closes both ends where the program could not be started. */
export function closeOutputPipe(pipe: OutputPipe): void {
  closeSync(pipe.writeEnd)
  pipe.readEnd.destroy()
  closeSync(pipe.held)
}
