import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { type LeaseTimes, leaseFree, takeLease } from './lease-file.ts'
import { removeOldFiles } from './remove-old.ts'

/** Lets those who want the same thing done wait for the one who does it. */
export interface Leases {
  /**
   * What `find` finds, or else what `work` makes: of all who share the key, one works at a time, and those who waited look
   * again first. The worker's failure is not theirs: one of them then works itself. Nothing depends on this for being
   * right: `work` may run several times side by side (a worker that was held up for long, a folder that cannot be
   * written to), only that is waste.
   * @param find is told whether somebody else worked at it meanwhile, so that what was known before may be old
   * @param key one line, no secrets: it can be read in the folder
   */
  once<T>(key: string, find: Find<T>, work: () => Promise<T>): Promise<T>
}

export type Find<T> = (waited: boolean) => Promise<T | undefined>

const TIMES: LeaseTimes = {
  beat: 2000,
  expiry: 10_000,
  // The longest that the registry client itself waits for an answer to an upload.
  patience: 15 * 60_000,
}

/** What killed processes held and nobody wanted since. */
const ABANDONED_AFTER = 24 * 60 * 60_000

/**
 * Leases among all processes that use a folder, on whatever machines they run, and within this process.
 * @param directory made when it is needed; without one the leases are this process's own
 */
export function createLeases(directory?: string, times: LeaseTimes = TIMES): Leases {
  const here = new Map<string, Promise<unknown>>()
  let isSwept = false

  function take(path: string, key: string): ReturnType<typeof takeLease> {
    if (!isSwept) removeOldFiles(dirname(path), ABANDONED_AFTER)
    isSwept = true
    return takeLease(path, key, times)
  }

  async function amongProcesses<T>(
    key: string,
    folder: string,
    find: Find<T>,
    work: () => Promise<T>,
    waitedHere: boolean,
  ): Promise<T> {
    const path = join(folder, createHash('sha256').update(key).digest('hex').slice(0, 40))
    for (let waited = waitedHere; ; waited = true) {
      const lease = take(path, key)
      if (lease === 'unavailable') return (await find(waited)) ?? (await work())
      if (lease !== 'held') {
        using _ = lease
        return (await find(waited)) ?? (await work())
      }
      const outcome = await leaseFree(path, times)
      const found = await find(true)
      if (found !== undefined) return found
      if (outcome === 'hopeless') return await work()
    }
  }

  return {
    async once(key, find, work) {
      let waited = false
      for (let other = here.get(key); other !== undefined; other = here.get(key)) {
        await other.catch(() => {})
        waited = true
        const found = await find(waited)
        if (found !== undefined) return found
      }
      const mine =
        directory === undefined
          ? find(waited).then((found) => found ?? work())
          : amongProcesses(key, directory, find, work, waited)
      here.set(key, mine)
      try {
        return await mine
      } finally {
        here.delete(key)
      }
    },
  }
}
