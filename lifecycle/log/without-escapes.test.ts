import { expect, test } from 'vitest'
import { withoutEscapes } from './without-escapes.ts'

test.each([
  ['\x1b[34mblue\x1b[0m and \x1b[1;31;4mmore\x1b[0m\n', 'blue and more\n'],
  ['none\n', 'none\n'],
  ['\x1b[2K\x1b[?25lprogress\r\x1b[@', 'progress\r'],
  ['\x1bcreset', 'reset'],
  ['unfinished \x1b[3\nnext', 'unfinished \nnext'],
  ['\x1b\x1b[1mtwice', 'twice'],
  ['ü \x1b[32m✓\x1b[0m', 'ü ✓'],
])('%j', (text, plain) => {
  const bytes = Buffer.from(text)
  // Wherever the stream is cut.
  for (let cut = 0; cut <= bytes.length; cut++) {
    const chunks: Uint8Array[] = []
    const write = withoutEscapes((chunk) => chunks.push(chunk))
    write(bytes.subarray(0, cut))
    write(bytes.subarray(cut))
    expect(Buffer.concat(chunks).toString()).toBe(plain)
  }
})
