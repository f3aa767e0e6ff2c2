import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { errorChain, SlipwayError } from '../../core/error.ts'
import type { EventBody } from '../../core/event.ts'
import { createHttpClient, httpOptionsFromEnvironment, systemCertificates } from '../../core/http/index.ts'
import { readAptHost } from '../../sources/debian/apt-host.ts'
import { readHostSettings } from '../../sources/registries/host.ts'
import { packageLifecycle } from './package.ts'

/** The command behind `npm run lifecycle:package`: reads the machine's settings, and says what happens. */

const SETTINGS = { main: 'SLIPWAY_DEBIAN_MIRROR', security: 'SLIPWAY_DEBIAN_SECURITY_MIRROR' }

/** @param registry address of the npm registry, as npm itself is set up */
async function main(clone: string, output: string, registry: string): Promise<void> {
  const { env } = process
  const apt = readAptHost()
  const access = await readHostSettings({ env, home: homedir() })
  const certificates = systemCertificates(env)
  const environment = httpOptionsFromEnvironment(env)
  const http = {
    debian: createHttpClient({ proxy: { ...environment.proxy, ...apt.proxies }, certificates }),
    npm: createHttpClient({ ...environment, certificates }),
  }
  const mirror = (name: string): readonly string[] => {
    const address = env[name] ?? ''
    return address === '' ? [] : [address.replace(/\/*$/, '/')]
  }
  try {
    const { archives, image } = await packageLifecycle({
      clone,
      output: resolve(output),
      architectures: ['amd64', 'arm64'],
      debian: {
        http: http.debian,
        archives: {
          main: [...mirror(SETTINGS.main), ...apt.archives.main],
          security: [...mirror(SETTINGS.security), ...apt.archives.security],
        },
        settings: SETTINGS,
        checkValidity: apt.checksValidity,
      },
      npm: { http: http.npm, registry: { url: registry, credentials: access.credentials } },
      emit: tell,
    })
    for (const { path, size } of archives) process.stdout.write(`${path} (${(size / 1e6).toFixed(1)} MB)\n`)
    process.stdout.write(`${image}\n`)
  } finally {
    await Promise.all([http.debian.close(), http.npm.close()])
  }
}

function tell(event: EventBody): void {
  if (event.type === 'task-started') process.stderr.write(`${event.label}\n`)
}

const [, , clone = '', output = '', registry = ''] = process.argv
main(clone, output, registry).catch((error: unknown) => {
  process.stderr.write(`${errorChain(error)}\n`)
  if (error instanceof SlipwayError && error.hint !== undefined) process.stderr.write(`${error.hint}\n`)
  process.exitCode = 1
})
