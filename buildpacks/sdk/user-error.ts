import { type ErrorCode, type ErrorDetails, errorChain, SlipwayError } from '../../core/error.ts'

/**
 * A failure that the app's author can put right: a stable code that begins with the buildpack's own word
 * (`NODE_LOCK_MISSING`), what is wrong, the file or setting it is about, and what to do.
 */
export function userError(
  code: ErrorCode,
  message: string,
  details: Omit<ErrorDetails, 'class'> & { readonly hint: string },
): SlipwayError {
  return new SlipwayError(code, message, { ...details, class: 'user' })
}

/** An error as a person reads it in the log of a build. */
export function renderError(thrown: unknown, debug: boolean): string {
  if (!(thrown instanceof SlipwayError)) {
    const stack = thrown instanceof Error ? thrown.stack : undefined
    return `ERROR: the buildpack failed: ${errorChain(thrown)}\n${debug && stack !== undefined ? `${stack}\n` : ''}`
  }
  const rows = [
    ['code', thrown.code],
    ['what', thrown.subject],
    ['try', thrown.hint],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`  ${`${name}:`.padEnd(6)}${value}\n`]))
  return `ERROR: ${errorChain(thrown)}\n${rows.join('')}${debug && thrown.stack !== undefined ? `${thrown.stack}\n` : ''}`
}
