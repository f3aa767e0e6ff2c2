/** Small made-up Debian packages, and an archive of them: what the assembly of a builder is tested with. */

import type { TarEntry } from '../../oci/tar/header.ts'
import { readTar } from '../../oci/tar/reader.ts'
import { entriesLayer, type LayerEntry } from '../../oci/tar/walk.ts'
import { makeAr, makeXz } from '../../sources/archive/testing/make.ts'
import type { MirrorPackage } from '../../sources/debian/testing/mirror.ts'

/** A file of a package by path (`./usr/bin/x`): text, `-> target` for a link, `=> path` for a hard link, undefined for a directory. */
export type PackageFiles = Readonly<Record<string, string | Buffer | undefined>>

export interface PackageDraft {
  readonly name: string
  readonly version?: string
  readonly fields?: readonly string[]
  readonly files: PackageFiles
  readonly modes?: Readonly<Record<string, number>>
  readonly scripts?: Readonly<Record<string, string>>
}

export async function makePackage(draft: PackageDraft): Promise<MirrorPackage> {
  const { name, version = '1', fields = [], files, modes = {}, scripts = {} } = draft
  const control = [`Package: ${name}`, `Version: ${version}`, 'Architecture: all', ...fields, ''].join('\n')
  const entries = Object.entries(files).map(([path, content]) => entryOf(path, content, modes[path]))
  const controlFiles = Object.entries({ control, md5sums: `${'0'.repeat(32)}  usr/x\n`, ...scripts })
  const deb = makeAr([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.xz', makeXz(await tarOf(controlFiles.map(([path, text]) => entryOf(`./${path}`, text))))],
    ['data.tar.xz', makeXz(await tarOf(entries))],
  ])
  return { name, version, deb, fields }
}

function entryOf(name: string, content: string | Buffer | undefined, mode?: number): LayerEntry {
  const owner = { uid: 0, gid: 0 }
  if (content === undefined) return { type: 'directory', name: `${name}/`, mode: mode ?? 0o755, ...owner }
  const text = content.toString()
  if (text.startsWith('-> ')) return { type: 'symlink', name, linkname: text.slice(3), mode: 0o777, ...owner }
  if (text.startsWith('=> '))
    return { type: 'hardlink', name, linkname: text.slice(3), mode: mode ?? 0o644, ...owner }
  return { type: 'file', name, content: Buffer.from(content), mode: mode ?? 0o644, ...owner }
}

export async function tarOf(entries: readonly LayerEntry[]): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const block of entriesLayer(entries).blocks()) parts.push(Buffer.from(block))
  return Buffer.concat(parts)
}

export interface TarFile {
  readonly entry: TarEntry
  readonly content: Buffer
}

/** What is in a tar, by name. */
export async function listTar(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<Map<string, TarFile>> {
  const files = new Map<string, TarFile>()
  let last: TarEntry | undefined
  let parts: Buffer[] = []
  await readTar(chunks, {
    entry(entry) {
      last = entry
      parts = []
    },
    data: (bytes) => void parts.push(Buffer.from(bytes)),
    end() {
      if (last !== undefined) files.set(last.name, { entry: last, content: Buffer.concat(parts) })
    },
  })
  return files
}

const LIB = 'x86_64-linux-gnu'

/** All packages that the recipes name, each with the little that the assembly looks for. */
export async function basePackages(names: readonly string[]): Promise<readonly MirrorPackage[]> {
  const drafts: Readonly<Record<string, Omit<PackageDraft, 'name'>>> = {
    'base-files': {
      files: {
        './etc': undefined,
        './tmp': undefined,
        './usr/lib/os-release': 'ID=debian\n',
        './usr/share/base-files/profile': 'profile\n',
        './etc/dpkg/origins/debian': 'Vendor: Debian\n',
        './var/run': undefined,
      },
      modes: { './tmp': 0o1777 },
      scripts: { postinst: 'exit 1' },
    },
    'base-passwd': {
      files: {
        './usr/share/base-passwd/passwd.master': 'root:*:0:0:root:/root:/bin/bash\n',
        './usr/share/base-passwd/group.master': 'root:*:0:\n',
      },
    },
    bash: {
      files: { './bin/bash': 'bash', './usr/share/man/man1/bash.1.gz': 'x' },
      modes: { './bin/bash': 0o755 },
    },
    'ca-certificates': {
      files: {
        './usr/share/ca-certificates/mozilla/B.crt': 'B',
        './usr/share/ca-certificates/mozilla/A.crt': 'A\n',
        './usr/share/doc/ca-certificates/copyright': 'free',
        './usr/share/doc/ca-certificates/changelog.gz': 'long',
      },
    },
    dash: { files: { './usr/bin/dash': 'dash', './usr/bin/sh': '-> dash' } },
    gcc: { files: { './usr/bin/gcc': 'gcc' }, modes: { './usr/bin/gcc': 0o4755 } },
    libc6: {
      fields: ['Depends: libgcc-s1'],
      files: {
        [`./usr/lib/${LIB}/libc.so.6`]: 'libc /etc/nsswitch.conf\0 end',
        [`./usr/lib/${LIB}/ld-linux-x86-64.so.2`]: 'ld /etc/ld.so.preload\0 end',
        './usr/lib64/ld-linux-x86-64.so.2': `-> ../lib/${LIB}/ld-linux-x86-64.so.2`,
        [`./usr/lib/${LIB}/libdl.so.2`]: 'dl',
        [`./usr/lib/${LIB}/libm.so.6`]: 'm',
        [`./usr/lib/${LIB}/libpthread.so.0`]: 'pthread',
      },
    },
    'libgcc-s1': { files: { [`./usr/lib/${LIB}/libgcc_s.so.1`]: 'gcc_s' } },
    'libstdc++6': {
      files: {
        [`./usr/lib/${LIB}/libstdc++.so.6.0.33`]: 'stdc++',
        [`./usr/lib/${LIB}/libstdc++.so.6`]: '-> libstdc++.so.6.0.33',
      },
    },
    mawk: { files: { './usr/bin/mawk': 'mawk' } },
    tzdata: { files: { './usr/share/zoneinfo/Etc/UTC': 'utc' } },
  }
  return Promise.all(
    names.map((name) =>
      makePackage({ name, ...(drafts[name] ?? { files: { [`./usr/share/${name}/x`]: name } }) }),
    ),
  )
}
