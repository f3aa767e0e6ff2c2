import { errorChain, SlipwayError, systemCode, systemDetails } from '../../core/error.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'

const SELF_NAMED: ReadonlySet<string> = new Set([
  'SPEC_PLATFORM_API_UNSET',
  'SPEC_PLATFORM_API_INCOMPATIBLE',
  'SPEC_BUILDPACK_API_INCOMPATIBLE',
  'SPEC_EXPERIMENTAL_DISABLED',
])

/** Why a command ends: what it was about to do, and what went wrong. */
export class Failure extends Error {
  override readonly name = 'Failure'
  /** `detect`, `read group file`: the reference prints `failed to <action>: <cause>`. */
  readonly action: string
  readonly exitCode: number

  constructor(action: string, cause: unknown, exitCode?: number, message = errorChain(cause)) {
    super(message, { cause })
    this.action = action
    this.exitCode = exitCode ?? (cause instanceof SlipwayError ? cause.exitCode : EXIT_CODES.generic)
  }

  /** The line for the log. */
  get line(): string {
    const { cause } = this
    const code = cause instanceof SlipwayError ? cause.code : undefined
    // These messages name their own action, as the reference's do.
    if (code !== undefined && SELF_NAMED.has(code)) return this.message
    return `failed to ${this.action}: ${this.message}`
  }

  /** The same failure as part of a greater action: `failed to <action>: <prefix>failed to …`. */
  within(action: string, prefix: string): Failure {
    return new Failure(action, this.cause, this.exitCode, `${prefix}${this.line}`)
  }

  /** The cause for those who act on codes and classes: the system's own errors are the infrastructure's. */
  get error(): SlipwayError {
    const { cause, exitCode } = this
    if (cause instanceof SlipwayError) return cause.withExitCode(exitCode)
    return systemCode(cause) === undefined
      ? new SlipwayError('LIFECYCLE_DEFECT', this.line, { cause, exitCode })
      : new SlipwayError('LIFECYCLE_SYSTEM_FAILED', this.line, {
          class: 'infrastructure',
          cause,
          exitCode,
          ...systemDetails(cause),
        })
  }
}

/**
 * Does something under the name of its action.
 * @param exitCode for failures that do not bring one of their own family
 * @throws Failure
 */
export async function act<T>(action: string, work: () => T | Promise<T>, exitCode?: number): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw failureOf(action, error, exitCode)
  }
}

function failureOf(action: string, error: unknown, exitCode: number | undefined): Failure {
  if (error instanceof Failure) return error
  const own = error instanceof SlipwayError ? error.exitCode : EXIT_CODES.generic
  const code = own === EXIT_CODES.generic ? (exitCode ?? own) : own
  return new Failure(code === EXIT_CODES.invalidArguments ? 'resolve inputs' : action, error, code)
}

/** Does something whose failures are told as part of a greater action. @throws Failure */
export async function actWithin<T>(action: string, prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof Failure ? error.within(action, prefix) : new Failure(action, error)
  }
}

/** Wrong arguments (exit 3). */
export function invalidArguments(message: string, action = 'parse arguments'): Failure {
  return new Failure(
    action,
    new SlipwayError('LIFECYCLE_ARGUMENTS_INVALID', message, {
      class: 'usage',
      exitCode: EXIT_CODES.invalidArguments,
    }),
  )
}
