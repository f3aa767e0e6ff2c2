import { closeSync, constants, fchmodSync, fchownSync, openSync, writeSync } from 'node:fs'
import { SlipwayError, systemCode } from '../../core/error.ts'
import { hostBytes } from '../../core/root.ts'
import type { TarEntry } from './header.ts'
import { readTar } from './reader.ts'

export type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

export interface Extracted {
  readonly entries: number
  /** Bytes of files written. */
  readonly bytes: number
}

/** A user of this machine. */
export interface HostOwner {
  readonly uid: number
  readonly gid: number
}

export interface FileWriter {
  /** Makes a file that must not exist yet; the entry's bytes go into it. The mode holds whatever the umask is. */
  open(host: string, mode: number): void
}

/**
 * Reads an archive and lets `place` put every entry where it belongs; synchronous calls, as for writing (an
 * asynchronous one per file is ten times slower).
 * @param owner of the files on this machine; whoever runs this when absent
 * @throws SlipwayError `OCI_TAR_WRITE_FAILED` when the file system refuses.
 */
export async function unpack(
  chunks: Chunks,
  place: (entry: TarEntry, file: FileWriter) => void,
  owner?: HostOwner,
): Promise<Extracted> {
  let open: { readonly fd: number; readonly mode: number } | undefined
  let name = ''
  let entries = 0
  let bytes = 0

  const file: FileWriter = {
    open(host, mode) {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
      open = { fd: openSync(hostBytes(host), flags, 0o600), mode }
    },
  }

  function close(): void {
    const closing = open
    open = undefined
    if (closing === undefined) return
    try {
      // In this order, after the bytes: writing and a new owner take setuid away.
      if (owner !== undefined) fchownSync(closing.fd, owner.uid, owner.gid)
      fchmodSync(closing.fd, closing.mode)
    } finally {
      closeSync(closing.fd)
    }
  }

  function guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      throw systemCode(error) === undefined ? error : writeFailed(name, error)
    }
  }

  try {
    await readTar(chunks, {
      entry(entry) {
        entries++
        name = entry.name
        guarded(() => place(entry, file))
      },
      data(chunk) {
        const { fd } = open ?? {}
        if (fd === undefined) return
        guarded(() => {
          for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done)
        })
        bytes += chunk.length
      },
      end: () => guarded(close),
    })
  } finally {
    if (open !== undefined) closeSync(open.fd)
  }
  return { entries, bytes }
}

function writeFailed(name: string, cause: unknown): SlipwayError {
  const full = systemCode(cause) === 'ENOSPC' || systemCode(cause) === 'EDQUOT'
  return new SlipwayError('OCI_TAR_WRITE_FAILED', `cannot unpack ${display(name)}`, {
    subject: display(name),
    ...(full ? { hint: 'the disk is full; free space and try again' } : {}),
    class: 'infrastructure',
    cause,
  })
}

/** An entry that must not be unpacked. */
export function refused(path: string, reason: string): SlipwayError {
  return new SlipwayError('OCI_TAR_OUTSIDE', `refused to unpack ${display(path)}: ${reason}`, {
    subject: display(path),
    class: 'infrastructure',
  })
}

/** A name of an archive as a person reads it. */
export function display(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8')
}
