const ESC = 0x1b
const BRACKET = 0x5b
const LINE_FEED = 0x0a

/**
 * Takes the escape sequences of terminals out of a stream of bytes, which may be cut anywhere: `-no-color` holds for what
 * buildpacks print too, as in the reference. A line feed ends a sequence that was never finished.
 */
export function withoutEscapes(write: (bytes: Uint8Array) => void): (bytes: Uint8Array) => void {
  let state: 'text' | 'escape' | 'sequence' = 'text'
  const isText = (byte: number): boolean => {
    if (byte === LINE_FEED || (state === 'text' && byte !== ESC)) {
      state = 'text'
      return true
    }
    if (byte === ESC) state = 'escape'
    else if (state === 'escape') state = byte === BRACKET ? 'sequence' : 'text'
    // Parameters go up to `?`; what comes after them is the sequence's last byte.
    else if (byte > 0x3f) state = 'text'
    return false
  }
  return (bytes) => {
    const isPlain = state === 'text' && !bytes.includes(ESC)
    const kept = isPlain ? bytes : bytes.filter(isText)
    if (kept.length > 0) write(kept)
  }
}
