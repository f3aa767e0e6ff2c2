import type { LayerSource } from '../../oci/layer-source.ts'
import { encodeHeader, paddingOf, TAR_BLOCK, type TarEntry } from '../../oci/tar/header.ts'
import { BLOCK_SIZE } from '../../oci/tar/writer.ts'
import type { Spool } from './spool.ts'
import type { FileTree, Node, TreePath } from './tree.ts'

/** Buffers the blocks stand in, in turn. */
const RING = 8

/**
 * The layer of a tree: names relative as in every base image, sorted, one time for all, owners by number. (The tar
 * writer of oci reads whole files; these stand side by side in one.)
 */
export function treeLayer(tree: FileTree, spool: Spool): LayerSource {
  return { blocks: () => blocks(tree, spool), blocksValid: RING - 1 }
}

function* blocks(tree: FileTree, spool: Spool): Generator<Uint8Array> {
  const ring = Array.from({ length: RING }, () => Buffer.allocUnsafeSlow(BLOCK_SIZE))
  let turn = 0
  let used = 0
  const current = (): Buffer => ring[turn % RING] as Buffer
  const flush = (): Uint8Array => {
    const full = current().subarray(0, used)
    turn++
    used = 0
    return full
  }
  /** Fills blocks from `fill(target, at)` until `size` bytes are in, giving out full ones. */
  function* put(size: number, fill: (target: Uint8Array, at: number) => void): Generator<Uint8Array> {
    for (let at = 0; at < size; ) {
      const part = Math.min(size - at, BLOCK_SIZE - used)
      fill(current().subarray(used, used + part), at)
      used += part
      at += part
      if (used === BLOCK_SIZE) yield flush()
    }
  }

  for (const [path, node] of tree.entries()) {
    const header = encodeHeader(entryOf(path, node))
    yield* put(header.length, copyOf(header))
    if (node.type !== 'file') continue
    const { content } = node
    if (content instanceof Uint8Array) yield* put(content.length, copyOf(content))
    else yield* put(content.size, (target, at) => spool.read(content, at, target))
    yield* put(paddingOf(sizeOf(node)), zeros)
  }
  yield* put(2 * TAR_BLOCK, zeros)
  if (used > 0) yield flush()
}

function zeros(target: Uint8Array): void {
  target.fill(0)
}

function copyOf(bytes: Uint8Array): (target: Uint8Array, at: number) => void {
  return (target, at) => target.set(bytes.subarray(at, at + target.length))
}

function entryOf(path: TreePath, node: Node): TarEntry {
  const { mode, uid, gid } = node
  switch (node.type) {
    case 'directory':
      return { type: 'directory', name: `${path}/`, mode, uid, gid }
    case 'symlink':
    case 'hardlink':
      return { type: node.type, name: path, linkname: node.target, mode, uid, gid }
    case 'file':
      return { type: 'file', name: path, size: sizeOf(node), mode, uid, gid }
  }
}

function sizeOf(node: Node & { readonly type: 'file' }): number {
  return node.content instanceof Uint8Array ? node.content.length : node.content.size
}
