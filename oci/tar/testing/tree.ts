import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { hostBytes } from '../../../core/root.ts'

/**
 * A tree with one of everything that makes a tar's bytes hard: names of every length and kind, modes, links. The same on
 * every machine.
 */
export function makeTree(host: string): void {
  const at = (name: string) => hostBytes(`${host}/${name}`)
  const dir = (name: string, mode = 0o755) => {
    mkdirSync(at(name), { recursive: true })
    chmodSync(at(name), mode)
  }
  const file = (name: string, data: string | Uint8Array, mode = 0o644) => {
    writeFileSync(at(name), data)
    chmodSync(at(name), mode)
  }
  chmodSync(hostBytes(host), 0o755)
  dir('bin')
  file('bin/run', '#!/bin/sh\necho hello\n', 0o755)
  file('bin/setuid', 'x', 0o4755)
  file('bin/setgid', 'x', 0o2755)
  dir('tmp', 0o1777)
  dir('empty')
  file('nothing', '')
  file('block', Buffer.alloc(512, 1))
  file('block+1', Buffer.alloc(513, 2))
  file('megabyte', Buffer.alloc(1 << 20, 3))
  file('megabytes', pattern(3_333_333))
  // Sorted by name within a directory, but as whole strings `a-b` comes before `a/b`.
  dir('a')
  file('a/b', 'a/b')
  file('a-b', 'a-b')
  file('a.b', 'a.b')
  file('Z', 'upper case first')
  // Non-ASCII in UTF-8, and bytes that are no UTF-8 at all; sorted as bytes.
  file(latin1('häuser.txt'), 'ä')
  file(latin1('ｆｕｌｌ.txt'), 'full width')
  file('bytes-\xff\xfe.bin', 'not UTF-8')
  dir(latin1('verzeichnis-ü'))
  file(`${latin1('verzeichnis-ü')}/inhalt`, 'x')
  // Around the limits of USTAR's name (100) and prefix (155).
  const long = 'd'.repeat(90)
  dir(long)
  for (const length of [1, 9, 10, 50, 99, 100, 101, 200])
    file(`${long}/${'f'.repeat(length)}`, String(length))
  dir(`${long}/${'e'.repeat(70)}`)
  for (const length of [1, 60, 99, 100, 101, 255])
    file(`${long}/${'e'.repeat(70)}/${'g'.repeat(length)}`, String(length))
  dir(`${long}/${'e'.repeat(70)}/${'h'.repeat(140)}`)
  file(`${long}/${'e'.repeat(70)}/${'h'.repeat(140)}/leaf`, 'name of 300 bytes')
  symlinkSync('/cnb/lifecycle/launcher', at('link'))
  symlinkSync('../nowhere', at('link-relative'))
  symlinkSync('t'.repeat(100), at('link-100'))
  symlinkSync('t'.repeat(101), at('link-101'))
  symlinkSync(hostBytes(latin1('zu-häusern')), at('link-utf8'))
  linkSync(at('bin/run'), at('hard-link'))
}

/** sha256 of the tars that Go makes of that tree and of fixed entries; `go.integration.test.ts` compares them. */
export const RECORDED = {
  /** As /layers/bp/layer of 1000620000:1001. */
  tree: '410e2e849e025bd99d74b1e33e90e38d4bb2b5c5eb7d810844a34f292742c7a2',
  /** Every path of it as /workspace, of 1000:1001, sorted as strings. */
  slice: '3696afac2b5b827f4311156730a70e1a9231303cc21a6f55f4e84d5040d1b027',
  /** The entries of walk.test.ts. */
  launcher: 'b341cf3c0ccf6615a4fbb001e1be0c40a9bc4f7152f5917de7eb883af40ef9b0',
} as const

/** Bytes that do not repeat soon and compress a little. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = 1
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    bytes[index] = (state >>> 16) & 0x3f
  }
  return bytes
}

/** A name as the bytes of its UTF-8 form. */
function latin1(name: string): string {
  return Buffer.from(name).toString('latin1')
}
