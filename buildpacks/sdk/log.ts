/** The log of a build: a heading, steps, and under each what happened, indented. Plain text, for every terminal and file. */
export interface Log {
  /** A part of the work: `- Node.js 24.21.0`. */
  step(text: string): void
  /** Under the step. */
  info(text: string): void
  /** Something a person should look at, and what to do about it. */
  warning(text: string, hint?: string): void
  /** Shown when `BP_LOG_LEVEL` is `DEBUG`. */
  debug(text: string): void
  /** Output of a program as it comes, under the step. */
  output(chunk: Uint8Array): void
}

export type Write = (bytes: Uint8Array | string) => void

const INDENT = '  '
const OUTPUT_INDENT = Buffer.from('    ')
const LINE_END = 0x0a

export function createLog(write: Write, debug: boolean): Log {
  let atLineStart = true
  const line = (indent: string, text: string) => {
    if (!atLineStart) write('\n')
    atLineStart = true
    write(`${text.replace(/^/gm, indent)}\n`)
  }
  return {
    step: (text) => line('', `- ${text}`),
    info: (text) => line(INDENT, text),
    warning: (text, hint) =>
      line(INDENT, `WARNING: ${text}${hint === undefined ? '' : `\n         ${hint}`}`),
    debug: (text) => {
      if (debug) line(INDENT, text)
    },
    output: (chunk) => {
      const parts: Uint8Array[] = []
      for (let from = 0; from < chunk.length; ) {
        const end = chunk.indexOf(LINE_END, from)
        const piece = chunk.subarray(from, end < 0 ? chunk.length : end + 1)
        if (atLineStart && piece[0] !== LINE_END) parts.push(OUTPUT_INDENT)
        parts.push(piece)
        atLineStart = end >= 0
        from += piece.length
      }
      write(Buffer.concat(parts))
    },
  }
}
