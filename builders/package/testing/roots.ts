import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { applyLayer } from '../../../oci/tar/apply.ts'
import { xzPool } from '../../../sources/archive/xz.ts'
import { openDeb } from '../../../sources/debian/deb.ts'
import { fetchPackages } from '../../../sources/debian/fetch.ts'
import { debianArchiveKeys } from '../../../sources/debian/keys.ts'
import { loadIndex } from '../../../sources/debian/load-index.ts'
import type { DebianSettings } from '../../base/assemble.ts'

/** Root file systems of other distributions' kinds, and how a program is started in them. */

/** The machine's own copies of keys that Slipway does not come with: those of an older release. */
const MACHINE_KEYS = '/etc/apt/trusted.gpg.d'

/**
 * Packages of a release of Debian without their dependencies, unpacked into a root.
 * @param directory a folder for downloads
 */
export async function debianRoot(
  debian: DebianSettings,
  suite: string,
  packages: readonly string[],
  root: string,
  directory: string,
): Promise<void> {
  await using pool = xzPool()
  const machineKeys = existsSync(MACHINE_KEYS)
    ? readdirSync(MACHINE_KEYS).filter((name) => name.endsWith('.asc'))
    : []
  const { index, archives } = await loadIndex(
    { http: debian.http },
    {
      ...debian,
      suites: [suite],
      securitySuite: `${suite}-security`,
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      keys: [
        ...debianArchiveKeys(),
        ...machineKeys.map((name) => readFileSync(join(MACHINE_KEYS, name), 'utf8')),
      ],
      now: new Date(),
      // An old release's security index is no longer renewed.
      checkValidity: false,
    },
    pool,
  )
  const records = packages.flatMap((name) => index.candidates(name).slice(0, 1))
  if (records.length !== packages.length) throw new Error(`${suite} lacks one of ${packages.join(', ')}`)
  const workDirectory = join(directory, `work-${suite}`)
  mkdirSync(workDirectory, { recursive: true })
  const fetched = await fetchPackages({ http: debian.http }, archives, records, {
    directory: join(directory, 'packages'),
    workDirectory,
    emit: () => {},
    task: suite,
  })
  for (const { path } of fetched) await applyLayer(openDeb(path, pool).data(), root)
}

/** What a base image may bring to disturb a program that was not made for it. */
export function makeHostile(root: string): void {
  mkdirSync(join(root, 'etc'), { recursive: true })
  writeFileSync(join(root, 'etc', 'ld.so.preload'), '/hostile.so\n')
  writeFileSync(
    join(root, 'etc', 'nsswitch.conf'),
    'passwd: compat systemd\nhosts: files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns\n',
  )
}

/** A library of this machine, so that the programs which enter the root start; in the root it is missing or foreign. */
function preloaded(): string {
  const folder = process.arch === 'x64' ? '/lib/x86_64-linux-gnu' : '/lib/aarch64-linux-gnu'
  return join(folder, 'libm.so.6')
}

/** An environment with everything in it that would change how Node starts. */
export function hostileEnvironment() {
  return {
    LD_PRELOAD: preloaded(),
    LD_LIBRARY_PATH: '/usr/lib/hostile:/hostile',
    NODE_OPTIONS: '--require=/hostile.js',
    NODE_PATH: '/hostile',
    OPENSSL_CONF: '/hostile.cnf',
    GLIBC_TUNABLES: 'glibc.malloc.check=3',
    MALLOC_ARENA_MAX: '1',
  }
}

export interface Entered {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * Starts a program in a root, in namespaces of its own, as any user may: with that uid and gid, without capabilities and
 * with no_new_privs. /proc, /dev and /tmp are what the root itself has; a file dev/null becomes the device.
 * @param writable folders of the root that stay writable where all else is read-only; undefined: nothing is read-only
 */
export function enter(
  root: string,
  uid: number,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  writable?: readonly string[],
): Promise<Entered> {
  const binds = (writable ?? []).map((folder) => `mount --bind "$R/${folder}" "$R/${folder}" && `).join('')
  const device = 'if [ -e dev/null ]; then mount --bind /dev/null dev/null; fi && '
  const lock = writable === undefined ? '' : 'mount -o remount,bind,ro "$R" && '
  const script =
    `R=$1; shift; mount --bind "$R" "$R" && cd "$R" && R=. && ${device}${binds}${lock}` +
    `exec setpriv --no-new-privs unshare --user --map-user=${uid} --map-group=${uid} --root="$R" --wd=/ "$@"`
  const args = ['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', root]
  return new Promise((resolve, reject) => {
    execFile(
      'unshare',
      [...args, ...command],
      { env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', ...env }, timeout: 60_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code
        if (typeof code === 'number') resolve({ code, stdout, stderr })
        else reject(error)
      },
    )
  })
}

/** A copy of the unpacked lifecycle. */
export function installLifecycle(lifecycle: string, root: string): void {
  mkdirSync(join(root, 'cnb'), { recursive: true })
  cpSync(lifecycle, join(root, 'cnb', 'lifecycle'), { recursive: true, verbatimSymlinks: true })
}

/** A place to run a phase in: a buildpack whose programs write down their environment, and what the phases read. */
export function installBuildpack(root: string, shell: string): void {
  const buildpack = join(root, 'cnb', 'buildpacks', 'witness', '1.0.0')
  for (const folder of ['layers', 'workspace', 'platform/env', 'tmp'])
    mkdirSync(join(root, folder), { recursive: true })
  // Programs get it as their standard input.
  mkdirSync(join(root, 'dev'), { recursive: true })
  writeFileSync(join(root, 'dev', 'null'), '')
  mkdirSync(join(buildpack, 'bin'), { recursive: true })
  writeFileSync(
    join(buildpack, 'buildpack.toml'),
    'api = "0.12"\n[buildpack]\nid = "witness"\nversion = "1.0.0"\n[[targets]]\nos = "linux"\n',
  )
  for (const [step, name] of [
    ['detect', 'detected'],
    ['build', 'built'],
  ] as const)
    writeFileSync(
      join(buildpack, 'bin', step),
      `#!${shell} sh\nexec ${shell} env > /workspace/${name}.env\n`,
      { mode: 0o755 },
    )
  writeFileSync(
    join(root, 'cnb', 'order.toml'),
    '[[order]]\n[[order.group]]\nid = "witness"\nversion = "1.0.0"\n',
  )
  if (!existsSync(join(root, 'lifecycle'))) symlinkSync('/cnb/lifecycle', join(root, 'lifecycle'))
}
