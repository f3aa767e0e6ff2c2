import type { ContainerPath } from '../../../core/container-path.ts'
import { SlipwayError } from '../../../core/error.ts'
import type { Root } from '../../../core/root.ts'

const MAX_BYTES = 16 << 20

/**
 * The text of a small file that a build left behind, undefined where there is none. A build is hostile input: a pipe in
 * its place would keep us waiting for ever, and a huge file would fill the memory.
 * @throws SlipwayError `EXPORT_FILE_UNREADABLE`
 */
export function readBuildFile(root: Root, path: ContainerPath): string | undefined {
  const state = root.stat(path)
  if (state === undefined) return undefined
  if (state.isFile() && state.size <= MAX_BYTES) return root.readText(path)
  const why = state.isFile() ? `it is larger than ${MAX_BYTES} bytes` : 'it is not a file'
  throw new SlipwayError('EXPORT_FILE_UNREADABLE', `cannot read ${path}: ${why}`, {
    subject: path,
    class: 'buildpack',
  })
}
