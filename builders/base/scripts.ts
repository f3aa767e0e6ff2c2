import { SlipwayError } from '../../core/error.ts'

/**
 * Packages whose maintainer scripts (preinst, postinst) have been read, and what of them matters in an image stands in
 * fixups.ts; the scripts never run. A package that has scripts and is not here ends the assembly: it may need code.
 *
 * Read for trixie (13.7), both architectures. What each does there:
 * - accounts, shells, directories, default files: base-files, base-passwd, debianutils, netbase, libc-bin, bash, dash
 * - alternatives: cpp, debianutils, g++, gcc, mawk, tar, xz-utils
 * - certificates: ca-certificates; time zone: tzdata
 * - byte-compiled Python: python3*, libpython3.13-minimal (left out: it is only a cache)
 * - a set-gid ssh-agent: openssh-client (left out: no set-id file is kept)
 * - upgrades from older versions, running systems, nothing in a fresh tree: all others
 */
const REVIEWED = new Set([
  'base-files',
  'base-passwd',
  'bash',
  'binutils',
  'ca-certificates',
  'cpp',
  'dash',
  'debianutils',
  'g++',
  'gcc',
  'git',
  'gzip',
  'libc-bin',
  'libc6',
  'libcrypt-dev',
  'libgssapi-krb5-2',
  'libpython3.13-minimal',
  'libreadline8t64',
  'libselinux1',
  'mawk',
  'netbase',
  'openssh-client',
  'openssl',
  'perl',
  'pkgconf',
  'pkgconf-bin',
  'procps',
  'python3',
  'python3-minimal',
  'python3.13',
  'python3.13-minimal',
  'readline-common',
  'tar',
  'tzdata',
  'xz-utils',
])

/** Scripts that would run when a package is installed into an empty tree. */
const INSTALL_SCRIPTS = ['preinst', 'postinst']

/**
 * @param files names in the package's control archive
 * @throws SlipwayError `BUILDERS_SCRIPT_UNKNOWN`
 */
export function checkScripts(name: string, files: Iterable<string>): void {
  if (REVIEWED.has(name)) return
  for (const file of files) {
    if (!INSTALL_SCRIPTS.includes(file)) continue
    throw new SlipwayError(
      'BUILDERS_SCRIPT_UNKNOWN',
      `the package ${name} has a ${file} script that nobody has read: it may need more than its files`,
      {
        subject: name,
        hint: 'read the script, add what it does to the fix-ups and the package to the reviewed ones, or exclude it',
        class: 'usage',
      },
    )
  }
}
