import { createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import { writeFileAtomically } from '../../core/atomic-file.ts'
import { hostBytes } from '../../core/root.ts'
import { compress } from '../../oci/compress.ts'
import type { LayerSource } from '../../oci/layer-source.ts'
import type { Architecture } from '../base/packages.ts'

/** Large, made once, fetched often. */
export const COMPRESSION = { kind: 'gzip', level: 6 } as const

const ARCHITECTURES: Readonly<Record<Architecture, string>> = { amd64: 'x86-64', arm64: 'arm64' }

/** As the Go lifecycle's releases are called, which platforms build addresses of (lifecycle-behaviour §5.3). */
export function archiveName(version: string, architecture: Architecture): string {
  return `lifecycle-v${version}+linux.${ARCHITECTURES[architecture]}.tgz`
}

/**
 * Writes a lifecycle archive (cnb-spec DI-43) and its digest beside it, as `sha256sum -c` reads it.
 * @param path a latin1 path
 * @returns bytes of the archive
 */
export async function writeArchive(source: LayerSource, path: string): Promise<number> {
  const hash = createHash('sha256')
  let size = 0
  const fd = openSync(hostBytes(path), 'w', 0o644)
  try {
    for await (const chunk of compress(source.blocks(), COMPRESSION, source.blocksValid)) {
      hash.update(chunk)
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at)
      size += chunk.length
    }
  } finally {
    closeSync(fd)
  }
  writeFileAtomically(`${path}.sha256`, `${hash.digest('hex')}  ${basename(path)}\n`)
  return size
}
