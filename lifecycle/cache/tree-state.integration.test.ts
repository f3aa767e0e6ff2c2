import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import { mountedRoot } from '../../core/root.ts'
import { temporaryDirectory } from '../../oci/testing/temporary.ts'
import { isUntouched, settledState } from './tree-state.ts'

const LAYER = containerPath('/layers/test_node/deps')

test.skipIf(process.getuid?.() !== 0)(
  'nothing is said of a tree with another file system mounted in it (mounting needs root)',
  async () => {
    const directory = temporaryDirectory()
    const inside = join(directory, LAYER, 'inside')
    mkdirSync(inside, { recursive: true })
    writeFileSync(join(directory, LAYER, 'file'), 'of the layer')
    const root = mountedRoot(directory, [])
    const before = await settledState(root, LAYER)
    if (before === undefined) throw new Error('nothing is known of the layer')

    execFileSync('mount', ['-t', 'tmpfs', 'none', inside])
    onTestFinished(() => void execFileSync('umount', [inside]))
    expect(await settledState(root, LAYER)).toBeUndefined()
    expect(isUntouched(root, LAYER, before)).toBe(false)
  },
)
