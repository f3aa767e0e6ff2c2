import { SlipwayError } from '../../core/error.ts'
import type { Account, BaseRecipe } from './packages.ts'
import { type FileTree, MERGED, type Node, type TreePath } from './tree.ts'

/**
 * What maintainer scripts would have done, as data (the reviewed packages are listed in scripts.ts). Raise the version
 * whenever anything here, in tree.ts, layer.ts or unpack.ts changes what an image holds: images of another version are made again.
 */
export const FIXUPS_VERSION = 1

type Owner = 'root' | 'account'

type Fixup =
  /** A link, made where its target exists and nothing stands at the path. */
  | { readonly kind: 'link'; readonly path: TreePath; readonly target: string }
  /** A link in place of what stands there. */
  | { readonly kind: 'replace'; readonly path: TreePath; readonly target: string }
  | {
      readonly kind: 'directory'
      readonly path: TreePath
      readonly mode?: number
      readonly owner?: Owner
      readonly only?: BaseRecipe['kind']
    }
  /** A file with the bytes of another, where that is and nothing stands at the path. */
  | { readonly kind: 'copy'; readonly path: TreePath; readonly from: TreePath }
  | { readonly kind: 'text'; readonly path: TreePath; readonly text: string }

const usrBin = (names: Readonly<Record<string, string>>): readonly Fixup[] =>
  Object.entries(names).map(([name, target]) => ({ kind: 'link', path: `usr/bin/${name}`, target }))

const directories = (paths: readonly TreePath[], mode = 0o755): readonly Fixup[] =>
  paths.map((path) => ({ kind: 'directory', path, mode }))

const FIXUPS: readonly Fixup[] = [
  // update-alternatives
  ...usrBin({
    awk: 'mawk',
    nawk: 'mawk',
    cc: 'gcc',
    'c++': 'g++',
    c89: 'c89-gcc',
    c99: 'c99-gcc',
    lzma: 'xz',
    unlzma: 'unxz',
    lzcat: 'xzcat',
    lzmore: 'xzmore',
    lzless: 'xzless',
    lzdiff: 'xzdiff',
    lzcmp: 'xzcmp',
    lzgrep: 'xzgrep',
    lzegrep: 'xzegrep',
    lzfgrep: 'xzfgrep',
    pager: 'more',
    which: 'which.debianutils',
  }),
  { kind: 'link', path: 'usr/lib/cpp', target: '../bin/cpp' },
  { kind: 'link', path: 'usr/sbin/rmt', target: 'rmt-tar' },
  // base-files
  ...directories(['etc/opt', 'home', 'media', 'mnt', 'opt', 'srv', 'var/opt', 'proc', 'sys', 'dev', 'run']),
  ...['bin', 'etc', 'games', 'include', 'lib', 'libexec', 'sbin', 'share', 'share/man', 'src'].map(
    (name): Fixup => ({ kind: 'directory', path: `usr/local/${name}` }),
  ),
  { kind: 'link', path: 'usr/local/man', target: 'share/man' },
  ...directories(['tmp', 'var/tmp', 'run/lock'], 0o1777),
  { kind: 'directory', path: 'var/mail' },
  { kind: 'link', path: 'var/spool/mail', target: '../mail' },
  { kind: 'replace', path: 'var/run', target: '/run' },
  { kind: 'replace', path: 'var/lock', target: '/run/lock' },
  { kind: 'copy', path: 'root/.profile', from: 'usr/share/base-files/dot.profile' },
  { kind: 'copy', path: 'root/.bashrc', from: 'usr/share/base-files/dot.bashrc' },
  { kind: 'copy', path: 'etc/profile', from: 'usr/share/base-files/profile' },
  { kind: 'link', path: 'etc/dpkg/origins/default', target: 'debian' },
  { kind: 'link', path: 'etc/os-release', target: '../usr/lib/os-release' },
  // libc-bin, netbase, tzdata
  { kind: 'copy', path: 'etc/nsswitch.conf', from: 'usr/share/libc-bin/nsswitch.conf' },
  { kind: 'text', path: 'etc/nsswitch.conf', text: 'passwd: files\ngroup: files\nhosts: files dns\n' },
  {
    kind: 'text',
    path: 'etc/hosts',
    text: '127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n',
  },
  { kind: 'link', path: 'etc/localtime', target: '/usr/share/zoneinfo/Etc/UTC' },
  { kind: 'text', path: 'etc/timezone', text: 'Etc/UTC\n' },
  // Empty: a place to put the machine's own over in a root that cannot be written to.
  { kind: 'text', path: 'etc/resolv.conf', text: '' },
  // The package openssl has them; libssl without it looks there too.
  { kind: 'link', path: 'usr/lib/ssl/cert.pem', target: '/etc/ssl/certs/ca-certificates.crt' },
  { kind: 'link', path: 'usr/lib/ssl/certs', target: '/etc/ssl/certs' },
  // Cloud Native Buildpacks (cnb-spec DI-1, DI-42)
  { kind: 'directory', path: 'cnb', only: 'build' },
  { kind: 'directory', path: 'platform', only: 'build' },
  { kind: 'directory', path: 'layers', owner: 'account', only: 'build' },
  { kind: 'directory', path: 'workspace', owner: 'account', only: 'build' },
]

/** Readers and writers of what stands in a tree. */
export interface TreeFiles {
  readonly tree: FileTree
  /** Bytes of the file at a path, or undefined where there is none. */
  read(path: TreePath): Uint8Array | undefined
}

/** Brings a tree of bare packages into the state that an installation would have. */
export function applyFixups(files: TreeFiles, recipe: BaseRecipe): void {
  const { tree } = files
  for (const name of MERGED) {
    const always = name === 'bin' || name === 'sbin' || name === 'lib'
    if (!always && tree.below(`usr/${name}`).length === 0) continue
    if (tree.get(`usr/${name}`) === undefined) tree.set(`usr/${name}`, directory())
    tree.set(name, link(`usr/${name}`))
  }
  addCertificates(files)
  for (const fixup of FIXUPS) applyFixup(files, recipe, fixup)
  addAccounts(files, recipe.account)
  addShells(tree)
}

function applyFixup({ tree, read }: TreeFiles, recipe: BaseRecipe, fixup: Fixup): void {
  const isFree = tree.get(fixup.path) === undefined
  switch (fixup.kind) {
    case 'link':
      if (isFree && tree.exists(targetPath(fixup.path, fixup.target)))
        tree.set(fixup.path, link(fixup.target))
      return
    case 'replace':
      if (tree.below(fixup.path).length === 0) tree.set(fixup.path, link(fixup.target))
      return
    case 'copy': {
      const bytes = isFree ? read(fixup.from) : undefined
      if (bytes !== undefined) tree.set(fixup.path, file(bytes))
      return
    }
    case 'text':
      if (isFree) tree.set(fixup.path, file(Buffer.from(fixup.text)))
      return
    case 'directory': {
      if (fixup.only !== undefined && fixup.only !== recipe.kind) return
      const owner = fixup.owner === 'account' ? recipe.account : ROOT
      if (isFree) tree.set(fixup.path, directory(fixup.mode, owner))
    }
  }
}

/** `update-ca-certificates` without its links by file and by hash: all that read certificates read the bundle. */
function addCertificates({ tree, read }: TreeFiles): void {
  const parts = tree
    .below('usr/share/ca-certificates')
    .filter((path) => path.endsWith('.crt') && tree.get(path)?.type === 'file')
    .map((path) =>
      Buffer.from(read(path) ?? [])
        .toString('latin1')
        .trimEnd(),
    )
  if (parts.length === 0) return
  tree.set(
    'etc/ssl/certs/ca-certificates.crt',
    file(Buffer.from(parts.map((part) => `${part}\n`).join(''), 'latin1')),
  )
}

function addAccounts({ tree, read }: TreeFiles, account: Account): void {
  const passwd = master(read, 'passwd')
  const group = master(read, 'group')
  const { name, uid, gid, home } = account
  tree.set('etc/passwd', file(Buffer.from(`${passwd}${name}:x:${uid}:${gid}:${name}:${home}:/bin/bash\n`)))
  tree.set('etc/group', file(Buffer.from(`${group}${name}:x:${gid}:\n`)))
  tree.set(home.slice(1), directory(0o755, account))
}

function master(read: TreeFiles['read'], name: 'passwd' | 'group'): string {
  const bytes = read(`usr/share/base-passwd/${name}.master`)
  if (bytes === undefined) {
    throw new SlipwayError('BUILDERS_ACCOUNTS_MISSING', `the packages have no ${name}.master`, {
      subject: 'base-passwd',
      hint: 'base-passwd must be among the packages of a base image',
      class: 'usage',
    })
  }
  // A password field of `*` keeps everybody out, as in Debian.
  return Buffer.from(bytes).toString('utf8')
}

/** `update-shells`. */
function addShells(tree: FileTree): void {
  const shells = ['sh', 'bash', 'rbash', 'dash'].filter((name) => tree.exists(`usr/bin/${name}`))
  const lines = [
    '# /etc/shells: valid login shells',
    ...shells.flatMap((name) => [`/bin/${name}`, `/usr/bin/${name}`]),
  ]
  tree.set('etc/shells', file(Buffer.from(`${lines.join('\n')}\n`)))
}

const ROOT = { uid: 0, gid: 0 }

function link(target: string): Node {
  return { type: 'symlink', target, mode: 0o777, ...ROOT }
}

function file(content: Uint8Array): Node {
  return { type: 'file', content, mode: 0o644, ...ROOT }
}

function directory(mode = 0o755, owner: { readonly uid: number; readonly gid: number } = ROOT): Node {
  return { type: 'directory', mode, uid: owner.uid, gid: owner.gid }
}

/** Where a link leads, as a path from the root. */
function targetPath(path: TreePath, target: string): TreePath {
  return target.startsWith('/') ? target.slice(1) : `${path.slice(0, path.lastIndexOf('/') + 1)}${target}`
}
