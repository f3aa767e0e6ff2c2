import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { imageUser } from './user.ts'

function rootfs(): string {
  const path = mkdtempSync(join(tmpdir(), 'slipway-user-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  mkdirSync(join(path, 'etc'))
  writeFileSync(
    join(path, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\ncnb:x:1002:1000::/home/cnb:/bin/sh\n',
  )
  writeFileSync(join(path, 'etc/group'), 'root:x:0:\nstaff:x:50:\n')
  return path
}

test.each([
  ['1002:1000', { uid: 1002, gid: 1000, home: '/home/cnb' }],
  ['cnb', { uid: 1002, gid: 1000, home: '/home/cnb' }],
  ['cnb:staff', { uid: 1002, gid: 50, home: '/home/cnb' }],
  ['4711', { uid: 4711, gid: 4711, home: '/' }],
  ['', { uid: 1000, gid: 1000, home: '/' }],
])('%j', (user, expected) => expect(imageUser(rootfs(), user)).toEqual(expected))

test('a name that the image does not know is an error that says it', () => {
  expect(() => imageUser(rootfs(), 'nobody-here')).toThrow(
    expect.objectContaining({ code: 'RUN_USER_UNKNOWN' }),
  )
})
