/**
 * Compares two strings in the order of their UTF-8 bytes, which is Go's order of strings. JavaScript's own order differs
 * where a character outside the basic plane meets one at U+E000 or above.
 */
export function byByteOrder(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

/** Moves the surrogates above everything else, where the characters they stand for are. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}
