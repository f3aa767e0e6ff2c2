import { constants, copyFileSync, readlinkSync, symlinkSync } from 'node:fs'
import { type ContainerPath, joinPath } from '../../../core/container-path.ts'
import { hostBytes, type Root } from '../../../core/root.ts'

/**
 * Copies what an extension without bin/generate brings ready-made. Links are copied, never followed; what is neither file,
 * directory nor link is left out.
 */
export function copyTree(root: Root, from: ContainerPath, to: ContainerPath): void {
  root.mkdir(to)
  for (const entry of root.list(from)) {
    const source = joinPath(from, entry.name)
    if (entry.isDirectory()) {
      copyTree(root, source, joinPath(to, entry.name))
      continue
    }
    const here = hostBytes(root.resolve(source, 'keep'))
    const there = hostBytes(root.resolve(joinPath(to, entry.name), 'keep'))
    if (entry.isSymbolicLink()) symlinkSync(readlinkSync(here, 'buffer'), there)
    else if (entry.isFile()) copyFileSync(here, there, constants.COPYFILE_EXCL)
  }
}
