import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createHttpClient, httpOptionsFromEnvironment, systemCertificates } from '../../../core/http/index.ts'
import { readAptHost } from '../../../sources/debian/apt-host.ts'
import type { PackageOptions } from '../package.ts'

/** This machine's package registries, for tests that fetch from them. */
export type Machine = Pick<PackageOptions, 'debian' | 'npm'> & AsyncDisposable

export function machine(): Machine {
  const http = createHttpClient({
    ...httpOptionsFromEnvironment(process.env),
    certificates: systemCertificates(process.env),
  })
  const apt = readAptHost()
  return {
    debian: {
      http,
      archives: apt.archives,
      settings: { main: 'debian.mirror', security: 'debian.security-mirror' },
      checkValidity: apt.checksValidity,
    },
    npm: { http, registry: { url: npmRegistry() } },
    [Symbol.asyncDispose]: () => http.close(),
  }
}

function npmRegistry(): string {
  return execFileSync('npm', ['config', 'get', 'registry'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim()
}

export const CLONE = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

/** All files below a folder with their bytes. */
export function contents(folder: string): ReadonlyMap<string, Buffer> {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true })
  return new Map(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), readFileSync(path)]),
  )
}
