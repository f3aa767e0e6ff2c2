import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'

/** Writes a new file and waits until it is on the disk, so that a name given to it later never stands for less. */
export function writeDurably(path: string, data: string): void {
  const bytes = Buffer.from(data)
  const fd = openSync(path, 'wx', 0o644)
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
