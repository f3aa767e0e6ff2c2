import { createHttpClient } from '../../../core/http/index.ts'
import { parseReference } from '../../../oci/reference.ts'
import { createRegistry, type Registry } from '../../../oci/registry/index.ts'
import { startTestRegistry } from '../../../oci/registry/testing/server.ts'
import { randomImage } from '../../../oci/testing/index.ts'

/** A registry that has a run image for this machine, as `<host>/run`. */
export interface RegistryWithRunImage extends AsyncDisposable {
  readonly host: string
  readonly registry: Registry
}

export async function registryWithRunImage(): Promise<RegistryWithRunImage> {
  const server = await startTestRegistry()
  const http = createHttpClient({})
  const registry = createRegistry({ http, credentials: async () => undefined })
  await randomImage({
    repository: registry.repository(parseReference(`${server.host}/run`)),
    platform: { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch },
  })
  return {
    host: server.host,
    registry,
    [Symbol.asyncDispose]: async () => {
      await http.close()
      await server.close()
    },
  }
}
