import { errorChain, SlipwayError, systemCode, systemDetails } from '../../core/error.ts'
import { printable } from './format.ts'

/**
 * What a person reads when something failed: the code, what happened and to what, why, and what to try.
 * `detailed` adds the stack of an error that is not one of ours.
 */
export function failureLines(thrown: unknown, detailed = false): string[] {
  if (!(thrown instanceof SlipwayError)) {
    const text = detailed && thrown instanceof Error ? (thrown.stack ?? thrown.message) : errorChain(thrown)
    return [
      `error[INTERNAL]: ${printable(text)}`,
      '  try:   run again with --verbose, and report this with its output: it is a fault in Slipway',
    ]
  }
  const cause = thrown.cause === undefined ? '' : errorChain(thrown.cause)
  return [
    `error[${thrown.code}]: ${printable(thrown.message)}`,
    ...(thrown.subject === undefined || thrown.message.includes(thrown.subject)
      ? []
      : [`  at:    ${printable(thrown.subject)}`]),
    ...(cause === '' || thrown.message.includes(cause) ? [] : [`  cause: ${printable(cause)}`]),
    ...(thrown.hint === undefined ? [] : [`  try:   ${printable(thrown.hint)}`]),
  ]
}

/** Exit code of a command that ended with `thrown`: the failing phase's (cnb-spec §2.1), 1 for anything unknown. */
export function failureExitCode(thrown: unknown): number {
  return thrown instanceof SlipwayError ? thrown.exitCode : 1
}

/** What was thrown as an error with a code: the system's own errors are the infrastructure's, anything else is a defect. */
export function knownError(thrown: unknown): SlipwayError {
  if (thrown instanceof SlipwayError) return thrown
  const isSystem = systemCode(thrown) !== undefined
  return new SlipwayError(isSystem ? 'SYSTEM_FAILED' : 'INTERNAL', errorChain(thrown), {
    class: isSystem ? 'infrastructure' : 'internal',
    cause: thrown,
    ...systemDetails(thrown),
  })
}
