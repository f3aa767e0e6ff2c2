/**
 * `CHAOS_HITS`: how often each step is killed; once where it is not set (CI), ten times with `npm run test:chaos`.
 * `CHAOS_SEED`: where in a step, and what comes after; printed, so that a run can be repeated.
 */
export const HITS = Number(process.env.CHAOS_HITS ?? '1')
export const IS_LONG = HITS > 1
export const SEED = Number(process.env.CHAOS_SEED ?? String(Date.now() % 1_000_000))

/** Tries until a step counts as hard to hit: another run may make other system calls than the recorded one. */
export const TRIES = 10
