import { InvalidArgumentError } from 'commander'
import type { Listener } from '../../core/event.ts'
import { jsonEventLine } from '../../lifecycle/log/json-lines.ts'
import { progressDisplay } from './progress.ts'

/** The options `--quiet`, `--verbose` and `--log-format`. */
export interface Render {
  readonly quiet: boolean
  readonly verbose: boolean
  readonly logFormat: 'text' | 'json'
}

export interface Rendering {
  readonly listener: Listener
  /** The work failed: what was kept back is shown. */
  readonly failed: () => void
}

/**
 * How work shows itself while it runs: JSON lines, or text with a status line on a terminal. With `--quiet` the text
 * is kept back, and shown where the work fails.
 */
export function rendering(options: Render): Rendering {
  const write = (text: string): void => void process.stdout.write(text)
  const failed = (): void => undefined
  if (options.logFormat === 'json') {
    const epoch = Date.now()
    return { listener: (event) => write(jsonEventLine(event, epoch)), failed }
  }
  const detail = options.verbose ? 'verbose' : 'normal'
  if (options.quiet) {
    const kept: string[] = []
    const output = { write: (text: string) => void kept.push(text), columns: undefined, color: false }
    return {
      listener: progressDisplay(output, detail),
      failed: () => void process.stderr.write(kept.join('')),
    }
  }
  const terminal = process.stdout.isTTY === true && process.env.TERM !== 'dumb'
  const columns = terminal ? process.stdout.columns || 80 : undefined
  return {
    listener: progressDisplay({ write, columns, color: terminal && !process.env.NO_COLOR }, detail),
    failed,
  }
}

/** Parses `--log-format`. */
export function logFormat(value: string): string {
  if (value !== 'text' && value !== 'json') throw new InvalidArgumentError('text and json are known.')
  return value
}
