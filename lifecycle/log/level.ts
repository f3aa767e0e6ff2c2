import { SlipwayError } from '../../core/error.ts'

/** How much is said, from most to least. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal'

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'fatal']

/** @throws SlipwayError `LIFECYCLE_LOG_LEVEL_INVALID` (exit 1, cnb-spec C-7) */
export function parseLogLevel(text: string): LogLevel {
  const word = text.toLowerCase()
  const level = word === 'warning' ? 'warn' : LEVELS.find((name) => name === word)
  if (level !== undefined) return level
  throw new SlipwayError('LIFECYCLE_LOG_LEVEL_INVALID', `failed to parse log level: invalid level ${text}`, {
    subject: text,
    hint: `Log levels are ${LEVELS.join(', ')}.`,
    class: 'usage',
  })
}

/** Whether something of `level` is said where `least` was asked for. */
export function isLogged(level: LogLevel, least: LogLevel): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least)
}
