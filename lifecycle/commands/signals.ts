/**
 * What a command does when it is asked to end. Without a handler the first process of a container would ignore the
 * signal. The exit code is the one that shells give to a signal.
 */

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const
const GRACE_MS = 5000

/** Stops work in a way that lets it clear up; says whether there was any. */
export type Stop = () => boolean

const stops: Stop[] = []

/** From now on signals end the process: at once, or when what was stopped has come to its end. */
export function endOnSignals(): void {
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.once(signal, () => {
      const code = 128 + number
      process.exitCode = code
      const isBusy = stops.map((stop) => stop()).includes(true)
      if (isBusy) setTimeout(() => process.exit(code), GRACE_MS)
      else process.exit(code)
    })
  }
}

export function beforeEnd(stop: Stop): void {
  stops.push(stop)
}
