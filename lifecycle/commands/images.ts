import { resolve } from 'node:path'
import type { Emit } from '../../core/event.ts'
import {
  certsD,
  certsDDirectories,
  createHttpClient,
  httpOptionsFromEnvironment,
  systemCertificates,
} from '../../core/http/index.ts'
import { parseReference } from '../../oci/reference.ts'
import {
  cloudCredentials,
  createRegistry,
  credentialChain,
  credentialFiles,
  dockerConfigCredentials,
  memoised,
  readPullRules,
  registryAuthCredentials,
} from '../../oci/registry/index.ts'
import { openSharing } from '../../oci/sharing/sharing.ts'
import { ENV } from '../../spec/environment.ts'
import { parseToml } from '../../spec/toml/parse.ts'
import type { ImageAccess } from '../context.ts'
import { act } from './failure.ts'
import type { Inputs, Variables } from './inputs.ts'
import { VERSION } from './version.ts'

/**
 * Access to images in registries. This is the only place of the lifecycle that reads credentials, proxies and
 * certificates from the environment. Phases that need no registry never load this module.
 * @param names images whose credentials are looked up now, before privileges are dropped (cnb-spec AU-4); what is no
 * name of an image is left to whoever uses it
 * @throws Failure `failed to resolve keychain: …` (exit 1)
 */
export async function openImages(
  inputs: Inputs,
  env: Variables,
  emit: Emit,
  names: readonly string[],
): Promise<ImageAccess & AsyncDisposable> {
  const warn = (message: string) => emit({ type: 'warning', message })
  const http = await act('prepare the connection to registries', () =>
    createHttpClient({
      ...httpOptionsFromEnvironment(env),
      certificates: systemCertificates(env),
      hostTls: certsD(certsDDirectories(env)),
      userAgent: `slipway-lifecycle/${VERSION}`,
    }),
  )
  const credentials = await act('resolve keychain', async () => {
    const source = memoised(
      credentialChain(
        registryAuthCredentials(env[ENV.registryAuth]),
        dockerConfigCredentials({ files: credentialFiles(env), env, warn }),
        cloudCredentials({ http, env, warn }),
      ),
    )
    const references = names.flatMap((name) => parsed(name))
    await Promise.all(references.map(({ registry, repository }) => source(registry, repository)))
    return source
  })
  const rules = await act('read registries.conf', () =>
    readPullRules(env, (text, file) => parseToml(text, { file })),
  )
  const registry = createRegistry({
    http,
    credentials,
    insecure: inputs.insecureRegistries,
    rules,
    emit,
    ...(inputs.sharedDir === '' ? {} : { sharing: openSharing(resolve(inputs.sharedDir)) }),
  })
  return {
    repository: (reference) => registry.repository(reference),
    [Symbol.asyncDispose]: () => http.close(),
  }
}

function parsed(name: string) {
  try {
    return [parseReference(name)]
  } catch {
    return []
  }
}
