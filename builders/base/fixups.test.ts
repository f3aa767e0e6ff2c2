import { expect, test } from 'vitest'
import { applyFixups } from './fixups.ts'
import { baseRecipe } from './packages.ts'
import { FileTree } from './tree.ts'

/** A tree of files by path, `-> target` for links, after the fix-ups. */
function fixed(kind: 'run' | 'build', files: Readonly<Record<string, string>>) {
  const tree = new FileTree()
  const master = {
    'usr/share/base-passwd/passwd.master': 'root:*:0:0::/root:/bin/bash\n',
    'usr/share/base-passwd/group.master': 'root:*:0:\n',
  }
  for (const [path, text] of Object.entries({ ...master, ...files })) {
    const attributes = { mode: 0o644, uid: 0, gid: 0 }
    if (text.startsWith('-> ')) tree.add(path, { type: 'symlink', target: text.slice(3), ...attributes }, 'x')
    else tree.add(path, { type: 'file', content: Buffer.from(text), ...attributes }, 'x')
  }
  const read = (path: string): Uint8Array | undefined => {
    const node = tree.get(path)
    return node?.type === 'file' && node.content instanceof Uint8Array ? node.content : undefined
  }
  applyFixups({ tree, read }, baseRecipe(kind))
  return {
    tree,
    text: (path: string) => Buffer.from(read(path) ?? 'nothing').toString(),
    link: (path: string) => {
      const node = tree.get(path)
      return node?.type === 'symlink' ? node.target : undefined
    },
  }
}

test('alternatives lead to what is there, and take nobody’s place', () => {
  const { link, text } = fixed('build', {
    'usr/bin/gcc': 'gcc',
    'usr/bin/mawk': 'mawk',
    'usr/bin/nawk': 'somebody else’s',
    'usr/bin/cpp': 'cpp',
  })
  expect([
    link('usr/bin/cc'),
    link('usr/bin/awk'),
    link('usr/lib/cpp'),
    link('usr/bin/c++'),
    link('usr/bin/lzma'),
  ]).toEqual(['gcc', 'mawk', '../bin/cpp', undefined, undefined])
  expect(text('usr/bin/nawk')).toBe('somebody else’s')
})

test('accounts: the build user and the run user share a group only', () => {
  const [build, run] = [fixed('build', {}), fixed('run', {})]
  expect(build.text('etc/passwd')).toBe(
    'root:*:0:0::/root:/bin/bash\ncnb:x:1001:1000:cnb:/home/cnb:/bin/bash\n',
  )
  expect(run.text('etc/passwd')).toContain('cnb:x:1002:1000:')
  for (const { text } of [build, run]) expect(text('etc/group')).toBe('root:*:0:\ncnb:x:1000:\n')
  expect(build.tree.get('home/cnb')).toMatchObject({ type: 'directory', uid: 1001, gid: 1000, mode: 0o755 })
  expect(build.tree.get('workspace')).toMatchObject({ type: 'directory', uid: 1001, gid: 1000 })
  expect(build.tree.get('platform')).toMatchObject({ type: 'directory', uid: 0, gid: 0 })
  expect(run.tree.get('layers')).toBeUndefined()
})

test('certificates are one bundle, sorted by name, and OpenSSL finds it', () => {
  const { text, link } = fixed('run', {
    'usr/share/ca-certificates/mozilla/B.crt': 'B\n\n',
    'usr/share/ca-certificates/mozilla/A.crt': 'A',
    'usr/share/ca-certificates/mozilla/README': 'no',
  })
  expect(text('etc/ssl/certs/ca-certificates.crt')).toBe('A\nB\n')
  expect(link('usr/lib/ssl/cert.pem')).toBe('/etc/ssl/certs/ca-certificates.crt')
})

test('merged directories, links into /run, default files', () => {
  const { link, text, tree } = fixed('run', {
    'usr/bin/sh': '-> dash',
    'usr/bin/dash': 'dash',
    'usr/lib64/ld.so': 'ld',
    'usr/share/libc-bin/nsswitch.conf': 'hosts: files dns\n',
    'usr/share/zoneinfo/Etc/UTC': 'utc',
    'usr/lib/os-release': 'ID=debian',
  })
  const links = [
    'bin',
    'sbin',
    'lib',
    'lib64',
    'lib32',
    'var/run',
    'var/lock',
    'etc/os-release',
    'etc/localtime',
  ]
  expect(links.map(link)).toEqual([
    'usr/bin',
    'usr/sbin',
    'usr/lib',
    'usr/lib64',
    undefined,
    '/run',
    '/run/lock',
    '../usr/lib/os-release',
    '/usr/share/zoneinfo/Etc/UTC',
  ])
  expect(text('etc/nsswitch.conf')).toBe('hosts: files dns\n')
  expect(text('etc/shells')).toContain('/bin/sh\n/usr/bin/sh\n/bin/dash')
  expect(tree.get('tmp')).toMatchObject({ mode: 0o1777 })
  expect(tree.get('etc/resolv.conf')).toMatchObject({ type: 'file' })
  // The links of merged directories lead somewhere.
  for (const [path, node] of tree.entries()) {
    if (node.type === 'symlink' && path !== 'var/run') expect([path, tree.exists(path)]).toEqual([path, true])
  }
})

test('without base-passwd there are no accounts to begin with', () => {
  const tree = new FileTree()
  expect(() => applyFixups({ tree, read: () => undefined }, baseRecipe('run'))).toThrow(
    expect.objectContaining({ code: 'BUILDERS_ACCOUNTS_MISSING' }),
  )
})
