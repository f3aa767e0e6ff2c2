import { SlipwayError } from '../core/error.ts'
import type { Compression } from './layer-source.ts'

/**
 * Levels that are taken, and the one that stands for none given: somebody waits for a build, and zstd's first is smaller
 * than gzip's, which is the Go lifecycle's.
 */
const LEVELS = {
  gzip: { fallback: 1, highest: 9 },
  zstd: { fallback: 1, highest: 19 },
} as const

type Packed = Exclude<Compression, { readonly kind: 'none' }>

/**
 * How layers are to be compressed, as people write it: `gzip`, `zstd`, or either with a level, `zstd:6`.
 * @throws SlipwayError `OCI_COMPRESSION_UNKNOWN`, `OCI_COMPRESSION_LEVEL` (exit 3)
 */
export function parseCompression(text: string): Packed {
  const [, kind, level] = /^(gzip|zstd)(?::(\d+))?$/.exec(text) ?? []
  if (kind !== 'gzip' && kind !== 'zstd') {
    throw new SlipwayError('OCI_COMPRESSION_UNKNOWN', `layers cannot be compressed with '${text}'`, {
      hint: 'gzip or zstd, with a level where it matters: zstd:6',
      class: 'usage',
      exitCode: 3,
    })
  }
  const compression: Packed = level === undefined ? { kind } : { kind, level: Number(level) }
  compressionLevel(compression)
  return compression
}

/** The level that is worked with. @throws SlipwayError `OCI_COMPRESSION_LEVEL` (exit 3) */
export function compressionLevel({ kind, level }: Packed): number {
  const { fallback, highest } = LEVELS[kind]
  const wanted = level ?? fallback
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > highest) {
    throw new SlipwayError('OCI_COMPRESSION_LEVEL', `${kind} has no level ${wanted}`, {
      hint: `levels are 1 to ${highest}`,
      class: 'usage',
      exitCode: 3,
    })
  }
  return wanted
}
