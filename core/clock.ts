/**
 * Milliseconds on a clock that only goes forward, for durations. `performance.now()` is the same clock; the first use of
 * that global loads node:perf_hooks, which costs the start of a process more than a millisecond.
 */
export function monotonicNow(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}
