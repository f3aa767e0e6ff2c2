import type { LayerSource } from '../layer-source.ts'
import { encodeHeader, paddingOf, TAR_BLOCK } from './header.ts'
import { tarParser } from './reader.ts'
import { BLOCK_SIZE } from './writer.ts'

/**
 * The tar of a layer that somebody else made, with the time of every entry and the names of its owners made equal
 * (cnb-spec TR-6), so that the same contents are the same layer whenever they were written. Names, modes, numbers of
 * owners and contents stay.
 * @param open the uncompressed tar; called again at every reading
 * @throws SlipwayError (while it is read) `OCI_TAR_…`
 */
export function normalizedLayer(open: () => AsyncIterable<Uint8Array>): LayerSource {
  return { blocks: () => normalized(open()) }
}

async function* normalized(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let parts: Uint8Array[] = []
  let length = 0
  let padding = 0
  const put = (bytes: Uint8Array) => {
    parts.push(bytes)
    length += bytes.length
  }
  const take = () => {
    const block = Buffer.concat(parts)
    parts = []
    length = 0
    return block
  }
  const parser = tarParser({
    entry(entry) {
      const { mtime: _mtime, ...timeless } = entry
      put(encodeHeader(timeless))
      padding = 'size' in entry ? paddingOf(entry.size) : 0
    },
    // The bytes are only valid during the call.
    data: (bytes) => put(Buffer.from(bytes)),
    end: () => put(Buffer.alloc(padding)),
  })
  for await (const chunk of chunks) {
    parser.push(chunk)
    if (length >= BLOCK_SIZE) yield take()
  }
  parser.finish()
  put(Buffer.alloc(2 * TAR_BLOCK))
  yield take()
}
