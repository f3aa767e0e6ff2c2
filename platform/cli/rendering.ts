import { InvalidArgumentError } from 'commander'
import type { Listener, Phase } from '../../core/event.ts'
import { jsonErrorLine, jsonEventLine } from '../../lifecycle/log/json-lines.ts'
import { knownError } from './failure.ts'
import { progressDisplay } from './progress.ts'

/** The options `--quiet`, `--verbose` and `--log-format`. */
export interface Render {
  readonly quiet: boolean
  readonly verbose: boolean
  readonly logFormat: 'text' | 'json'
}

export interface Rendering {
  readonly listener: Listener
  /** The work failed: what was kept back is shown, and programs are told why. */
  readonly failed: (error: unknown) => void
}

/**
 * How work shows itself while it runs: JSON lines, or text with a status line on a terminal. With `--quiet` the text
 * is kept back, and shown where the work fails.
 */
export function rendering(options: Render): Rendering {
  const write = (text: string): void => void process.stdout.write(text)
  if (options.logFormat === 'json') return jsonRendering(write)
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
    failed: () => undefined,
  }
}

function jsonRendering(write: (text: string) => void): Rendering {
  const epoch = Date.now()
  let phase: Phase | undefined
  return {
    listener: (event) => {
      if (event.type === 'phase-started') phase = event.phase
      write(jsonEventLine(event, epoch))
    },
    failed: (thrown) => {
      const error = knownError(thrown)
      write(jsonErrorLine({ action: phase ?? 'prepare', phase, error }, Date.now()))
    },
  }
}

/** Parses `--log-format`. */
export function logFormat(value: string): string {
  if (value !== 'text' && value !== 'json') throw new InvalidArgumentError('text and json are known.')
  return value
}
