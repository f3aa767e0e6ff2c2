import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { SlipwayError } from '../../core/error.ts'
import { task } from '../../core/event.ts'
import { hostBytes } from '../../core/root.ts'
import type { XzPool } from '../../sources/archive/xz.ts'
import { openDeb } from '../../sources/debian/deb.ts'
import { fetchPackages } from '../../sources/debian/fetch.ts'
import { debianArchiveKeys } from '../../sources/debian/keys.ts'
import { loadIndex } from '../../sources/debian/load-index.ts'
import type { PackageRecord } from '../../sources/debian/packages.ts'
import type { DebianSettings } from '../base/assemble.ts'
import { type Architecture, type Distribution, TRIXIE } from '../base/packages.ts'
import { RUNTIME_PACKAGES, type RuntimeFile, runtimeLibraries } from '../runtime.ts'
import type { PackageContext } from './package.ts'
import type { Component } from './sbom.mjs'

export interface PackagedLibraries {
  readonly files: readonly RuntimeFile[]
  /** For the bill of materials. */
  readonly components: readonly Component[]
}

/** SPDX expressions; the copyright files of the packages are not machine-readable. */
const LICENSES: Readonly<Record<string, string>> = {
  libc6: 'LGPL-2.1-or-later',
  'libgcc-s1': 'GPL-3.0-or-later WITH GCC-exception-3.1',
  'libstdc++6': 'GPL-3.0-or-later WITH GCC-exception-3.1',
}

/**
 * The C and C++ library for Node on any architecture, from Debian's current signed index: the same that builders get
 * through their run image.
 * @throws SlipwayError `SOURCE_…`, `HTTP_…`, `BUILDERS_RUNTIME_MISSING`, `BUILDERS_PATCH_FAILED`
 */
export async function packagedLibraries(
  debian: DebianSettings,
  architecture: Architecture,
  { directory, emit }: PackageContext,
  pool: XzPool,
  distribution: Distribution = TRIXIE,
): Promise<PackagedLibraries> {
  const { index, archives } = await task(
    emit,
    `packages-index-${architecture}`,
    `Reading the package index of Debian ${distribution.version} for ${architecture}`,
    () =>
      loadIndex(
        { http: debian.http },
        {
          archives: debian.archives,
          settings: debian.settings,
          suites: distribution.suites,
          securitySuite: distribution.securitySuite,
          architecture,
          keys: debian.keys ?? debianArchiveKeys(),
          now: debian.now ?? new Date(),
          checkValidity: debian.checkValidity ?? true,
        },
        pool,
      ),
  )
  const records = RUNTIME_PACKAGES.map((name) => newest(index.candidates(name), name))
  const workDirectory = join(directory, `debian-${architecture}`)
  mkdirSync(hostBytes(workDirectory))
  const packages = await fetchPackages({ http: debian.http }, archives, records, {
    directory: join(directory, 'debian'),
    workDirectory,
    emit,
    task: `packages-${architecture}`,
  })
  return {
    files: await runtimeLibraries(
      packages.map(({ path }) => openDeb(path, pool).data()),
      architecture,
    ),
    components: records.map((record) => component(record, distribution)),
  }
}

function newest(candidates: readonly PackageRecord[], name: string): PackageRecord {
  const [first] = candidates
  if (first !== undefined) return first
  throw new SlipwayError('BUILDERS_RUNTIME_MISSING', `the package index has no ${name}`, { subject: name })
}

function component(record: PackageRecord, distribution: Distribution): Component {
  const { name, version, architecture } = record
  const license = LICENSES[name]
  const distro = `${distribution.name}-${distribution.version}`
  return {
    name,
    version,
    purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=${distro}`,
    ...(license === undefined ? {} : { license }),
  }
}
