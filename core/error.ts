/**
 * The one error class of Slipway. Every failure that a person may see is one of these: a stable code that tools
 * may match on, what happened, the thing it happened to, and what to try.
 */

/** How a failure is to be read by a retry policy: the user's code, the buildpack, the infrastructure, or how Slipway was called. */
export type ErrorClass = 'user' | 'buildpack' | 'infrastructure' | 'usage' | 'internal'

export interface ErrorDetails {
  /** The file, image, layer, buildpack or URL it happened to. */
  readonly subject?: string
  /** What the reader can try next, one sentence. */
  readonly hint?: string
  readonly cause?: unknown
  /** Exit code of the process where this error ends it (cnb-spec §2.1); 1 when absent. */
  readonly exitCode?: number
  readonly class?: ErrorClass
}

/** A code is SCREAMING_SNAKE_CASE, begins with its room (`OCI_`, `SPEC_`, `SANDBOX_` …) and never changes its meaning. */
export type ErrorCode = Uppercase<string>

export class SlipwayError extends Error {
  override readonly name = 'SlipwayError'
  readonly code: ErrorCode
  readonly subject: string | undefined
  readonly hint: string | undefined
  readonly exitCode: number
  readonly class: ErrorClass

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.subject = details.subject
    this.hint = details.hint
    this.exitCode = details.exitCode ?? 1
    this.class = details.class ?? 'internal'
  }

  /** The same failure with another exit code: a phase knows which family it belongs to, a room below does not. */
  withExitCode(exitCode: number): SlipwayError {
    return new SlipwayError(this.code, this.message, { ...this.details(), exitCode })
  }

  private details(): ErrorDetails {
    return {
      class: this.class,
      exitCode: this.exitCode,
      ...(this.subject === undefined ? {} : { subject: this.subject }),
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.cause === undefined ? {} : { cause: this.cause }),
    }
  }
}

/** The message of anything thrown, with the chain of its causes: `a: b: c`. Repeated texts are said once. */
export function errorChain(thrown: unknown): string {
  const parts: string[] = []
  for (let at: unknown = thrown, depth = 0; at !== undefined && at !== null && depth < 10; depth++) {
    const text = at instanceof Error ? at.message : String(at)
    if (text !== '' && !parts.some((part) => part.includes(text))) parts.push(text)
    at = at instanceof Error ? at.cause : undefined
  }
  return parts.join(': ')
}

/** What whoever threw first said to try: the hint that is nearest to the cause. */
export function hintOf(thrown: unknown): string | undefined {
  const below = thrown instanceof Error && thrown.cause !== undefined ? hintOf(thrown.cause) : undefined
  return below ?? (thrown instanceof SlipwayError ? thrown.hint : undefined)
}

/** `error.code` of a Node system error (`ENOENT` …), or undefined for anything else. */
export function systemCode(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | undefined)?.code
  return thrown instanceof Error && !(thrown instanceof SlipwayError) && typeof code === 'string'
    ? code
    : undefined
}

/** What the system said of its own error, without Node's code and path: `permission denied`. */
export function systemReason(error: Error): string {
  return /^[A-Z0-9]+: ([^,]+),/.exec(error.message)?.[1] ?? error.message
}

/** The file of a Node system error, and what to try about it. */
export function systemDetails(thrown: unknown): Pick<ErrorDetails, 'subject' | 'hint'> {
  const code = systemCode(thrown)
  if (code === undefined) return {}
  const { path } = thrown as { readonly path?: unknown }
  const hint = HINTS[code]
  return {
    ...(path === undefined ? {} : { subject: String(path) }),
    ...(hint === undefined ? {} : { hint }),
  }
}

const PERMISSIONS = 'Check its owner and mode, and the user that this runs as.'
const HINTS: Readonly<Record<string, string>> = {
  EACCES: PERMISSIONS,
  EPERM: PERMISSIONS,
  EROFS: 'It is on a file system that can only be read; give a place that can be written.',
  ENOSPC: 'The disk is full; free space and try again.',
  EDQUOT: 'The quota is used up; free space and try again.',
  EMFILE: 'Raise the limit of open files (ulimit -n).',
  EISDIR: 'A file belongs here, and it is a directory.',
  ENOTDIR: 'A part of the path is a file, not a directory.',
}
