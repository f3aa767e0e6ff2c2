import { chownSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ensureOwner, refuseRoot, userVariables } from './privileges.ts'

describe('privileges', () => {
  test('root is refused where buildpacks run, nobody else', () => {
    expect(() => refuseRoot('detect', 0)).toThrow(
      expect.objectContaining({ line: 'failed to detect: refusing to run as root', exitCode: 1 }),
    )
    expect(() => refuseRoot('detect', 1000)).not.toThrow()
  })

  test('a user that /etc/passwd does not know has no HOME of its own', () => {
    expect(userVariables(0)).toEqual({ HOME: '/root', USER: 'root' })
    expect(userVariables(4_000_000_001)).toEqual({})
  })

  test.runIf(process.getuid?.() === 0)('a tree is given away, links in it and not what they lead to', () => {
    const directory = mkdtempSync(join(tmpdir(), 'owner.'))
    try {
      const tree = join(directory, 'tree')
      mkdirSync(join(tree, 'sub'), { recursive: true })
      writeFileSync(join(tree, 'sub', Buffer.from('é').toString()), '')
      writeFileSync(join(directory, 'outside'), '')
      symlinkSync(join(directory, 'outside'), join(tree, 'link'))
      symlinkSync(directory, join(tree, 'directory-link'))
      ensureOwner(tree, 1234, 5678)
      const owner = (path: string) => [lstatSync(path).uid, lstatSync(path).gid]
      for (const path of ['', 'sub', 'sub/é', 'link', 'directory-link']) {
        expect(owner(join(tree, path))).toEqual([1234, 5678])
      }
      expect(owner(join(directory, 'outside'))).toEqual([0, 0])
      expect(owner(directory)).toEqual([0, 0])
      // Its top says that the user can write: what is below is believed.
      chownSync(join(tree, 'sub'), 0, 0)
      ensureOwner(tree, 1234, 99)
      expect(owner(join(tree, 'sub'))).toEqual([0, 0])
      ensureOwner(join(directory, 'missing'), 1234, 5678)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
