import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

/**
 * Ends what a killed phase left running, as the end of its container would: the buildpacks' programs, which know the
 * directory from their environment.
 */
export async function endAllOf(directory: string): Promise<void> {
  for (;;) {
    const left = running(directory)
    if (left.length === 0) return
    for (const pid of left) quietly(() => process.kill(pid, 'SIGKILL'))
    await setTimeout(2)
  }
}

function running(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter(
      (pid) => quietly(() => readFileSync(`/proc/${pid}/environ`, 'latin1').includes(directory)) ?? false,
    )
}

function quietly<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
