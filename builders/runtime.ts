import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { SlipwayError } from '../core/error.ts'
import { hostBytes } from '../core/root.ts'
import { readTar } from '../oci/tar/reader.ts'
import type { Architecture } from './base/packages.ts'

/**
 * What the lifecycle's Node needs to start on any base image (feasibility §1.3): the dynamic loader and the libraries of
 * the distribution, flat beside it, with two byte patches.
 */

/** The loader's name is also in native/src/starter.c. */
const LOADERS: Readonly<Record<Architecture, string>> = {
  amd64: 'ld-linux-x86-64.so.2',
  arm64: 'ld-linux-aarch64.so.1',
}
const LIBRARY_FOLDERS: Readonly<Record<Architecture, string>> = {
  amd64: 'usr/lib/x86_64-linux-gnu',
  arm64: 'usr/lib/aarch64-linux-gnu',
}
/** Debian's packages that these files are in. */
export const RUNTIME_PACKAGES = ['libc6', 'libgcc-s1', 'libstdc++6']
const LIBRARIES = [
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libpthread.so.0',
  'libstdc++.so.6',
]

/**
 * Paths of the base image that would bring its plug-ins and preloaded libraries into our process: the C library's name
 * service configuration, and the loader's list. The new paths have the same length and do not exist. (The LGPL allows it;
 * NOTICE says so.)
 */
const PATCHES: readonly {
  readonly file: (name: string) => boolean
  readonly from: string
  readonly to: string
}[] = [
  { file: (name) => name === 'libc.so.6', from: '/etc/nsswitch.conf', to: '/cnb/nsswitch.conf' },
  { file: (name) => name.startsWith('ld-linux'), from: '/etc/ld.so.preload', to: '/cnb/ld.so.preload' },
]

/** Raise it when what is made of the same inputs changes. */
export const RUNTIME_VERSION = 1

/** A file that stands flat in /cnb/lifecycle. */
export interface RuntimeFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/**
 * The loader and the libraries, out of tars that have been verified: the lowest layer of a run image, or the packages
 * {@link RUNTIME_PACKAGES}.
 * @throws SlipwayError `BUILDERS_RUNTIME_MISSING`, `BUILDERS_PATCH_FAILED`
 */
export async function runtimeLibraries(
  tars: Iterable<AsyncIterable<Uint8Array>>,
  architecture: Architecture,
): Promise<readonly RuntimeFile[]> {
  const folder = LIBRARY_FOLDERS[architecture]
  const found: Found = new Map()
  for (const tar of tars) await findBelow(tar, `${folder}/`, found)
  return [LOADERS[architecture], ...LIBRARIES].sort().map((name) => {
    const bytes = follow(found, name)
    if (bytes === undefined) {
      throw new SlipwayError('BUILDERS_RUNTIME_MISSING', `there is no ${folder}/${name}`, {
        subject: name,
        hint: `${RUNTIME_PACKAGES.join(', ')} must be among the packages`,
      })
    }
    return { name, bytes: patched(name, bytes) }
  })
}

type Found = Map<string, Uint8Array | { readonly target: string }>

/** Only what may be wanted is kept: links, and files with the names of libraries or of their versions. */
async function findBelow(tar: AsyncIterable<Uint8Array>, prefix: string, found: Found): Promise<void> {
  const wanted = /^(?:ld-linux|lib(?:c|dl|gcc_s|m|pthread|stdc\+\+)\.so)/
  let open: { readonly name: string; readonly parts: Uint8Array[] } | undefined
  await readTar(tar, {
    entry(entry) {
      const path = entry.name.replace(/^\.\//, '')
      const name = path.startsWith(prefix) ? path.slice(prefix.length) : ''
      if (!wanted.test(name)) return
      if (entry.type === 'symlink') found.set(name, { target: entry.linkname })
      if (entry.type === 'file') open = { name, parts: [] }
    },
    data: (bytes) => void open?.parts.push(Buffer.from(bytes)),
    end() {
      if (open !== undefined) found.set(open.name, Buffer.concat(open.parts))
      open = undefined
    },
  })
}

function follow(found: Found, name: string): Uint8Array | undefined {
  let at = found.get(name)
  for (let hops = 0; at !== undefined && !(at instanceof Uint8Array); hops++) {
    if (hops === 5) return undefined
    at = found.get(at.target)
  }
  return at
}

/** @throws SlipwayError `BUILDERS_PATCH_FAILED` where the text does not occur exactly once. */
export function patched(name: string, bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes)
  for (const { file, from, to } of PATCHES) {
    if (!file(name)) continue
    const at = copy.indexOf(`${from}\0`, 0, 'latin1')
    if (at === -1 || copy.indexOf(from, at + 1, 'latin1') !== -1) {
      throw new SlipwayError('BUILDERS_PATCH_FAILED', `${from} does not occur exactly once in ${name}`, {
        subject: name,
      })
    }
    copy.write(to, at, 'latin1')
  }
  return copy
}

/**
 * Copies an ELF program without what stands behind its loaded segments (symbol tables, debugging information, the section
 * table): 18 MB of Node's 127. Nothing that runs reads them. What is not a 64-bit little-endian ELF file is copied whole.
 * @returns its size
 */
export function copyWithoutSymbols(from: string, to: string): number {
  const source = openSync(hostBytes(from), 'r')
  try {
    const target = openSync(hostBytes(to), 'wx', 0o755)
    try {
      const size = fstatSync(source).size
      const buffer = Buffer.alloc(1024 * 1024)
      const head = buffer.subarray(0, readSync(source, buffer, 0, buffer.length, 0))
      const end = loadedEnd(head)
      const kept = end === undefined ? size : Math.min(end, size)
      if (kept < size) forgetSections(head)
      for (let at = 0; at < kept; ) {
        const read = at === 0 ? head.length : readSync(source, buffer, 0, buffer.length, at)
        if (read === 0)
          throw new SlipwayError('BUILDERS_FILE_CHANGED', `${from} became shorter`, { subject: from })
        const part = Math.min(read, kept - at)
        for (let done = 0; done < part; ) done += writeSync(target, buffer, done, part - done)
        at += part
      }
      return kept
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
}

/** The end of the last segment of an ELF file, from its beginning; undefined where that does not tell. */
export function loadedEnd(head: Buffer): number | undefined {
  const isElf = head.length >= 64 && head.readUInt32BE(0) === 0x7f454c46 && head[4] === 2 && head[5] === 1
  if (!isElf) return undefined
  const table = Number(head.readBigUInt64LE(32))
  const entrySize = head.readUInt16LE(54)
  const tableEnd = table + entrySize * head.readUInt16LE(56)
  if (entrySize < 56 || tableEnd > head.length) return undefined
  let end = tableEnd
  for (let at = table; at < tableEnd; at += entrySize) {
    end = Math.max(end, Number(head.readBigUInt64LE(at + 8)) + Number(head.readBigUInt64LE(at + 32)))
  }
  return end
}

/** e_shoff, e_shentsize, e_shnum, e_shstrndx. */
function forgetSections(head: Buffer): void {
  head.writeBigUInt64LE(0n, 40)
  head.fill(0, 58, 64)
}
