import { SlipwayError } from '../../core/error.ts'
import type { Binding } from '../../sources/registries/binding.ts'
import { type HostPlaces, hostBindings } from '../../sources/registries/host.ts'
import type { PlatformFiles } from './directory.ts'
import type { BuildRequest } from './request.ts'

/** What a build gets of the machine and of the request beyond the application itself. */
export interface BuildSettings {
  /** Below `<platform>`: the user's variables, and the machine's settings as service bindings (servicebinding.io). */
  readonly files: PlatformFiles
  /** Proxies as the environment of every program names them (cnb-spec EN-1). */
  readonly environment: Readonly<Record<string, string>>
}

/**
 * The user's variables, and as much of the machine's package-registry settings as the request allows: none, addresses with
 * CA and proxies, or the credentials too.
 * @throws SlipwayError `BUILD_BINDING_NAME`
 */
export async function buildSettings(
  { env, hostConfig }: Pick<BuildRequest, 'env' | 'hostConfig'>,
  places: HostPlaces,
): Promise<BuildSettings> {
  const variables = Object.entries(env).map(([name, value]) => [`env/${name}`, value] as const)
  if (hostConfig === 'off') return { files: Object.fromEntries(variables), environment: {} }
  const bindings = await hostBindings({ ...places, withCredentials: hostConfig === 'credentials' })
  return {
    files: Object.fromEntries([...variables, ...bindings.flatMap(bindingFiles)]),
    environment: proxyVariables(bindings.find(({ type }) => type === 'proxy')),
  }
}

function bindingFiles({ name, type, files }: Binding): (readonly [string, string])[] {
  const folder = `bindings/${safe(name)}`
  return [
    [`${folder}/type`, type],
    ...Object.entries(files).map(([key, content]) => [`${folder}/${safe(key)}`, content] as const),
  ]
}

/** Both spellings: some programs read only the one, some only the other. */
function proxyVariables(proxy: Binding | undefined): Record<string, string> {
  const names = { http: 'HTTP_PROXY', https: 'HTTPS_PROXY', 'no-proxy': 'NO_PROXY' }
  return Object.fromEntries(
    Object.entries(names).flatMap(([key, name]) => {
      const value = proxy?.files[key]?.trim() ?? ''
      return value === ''
        ? []
        : [
            [name, value],
            [name.toLowerCase(), value],
          ]
    }),
  )
}

function safe(name: string): string {
  if (!/^[A-Za-z0-9._-]+$/.test(name) || /^\.+$/.test(name)) {
    throw new SlipwayError('BUILD_BINDING_NAME', `not a name for a binding: ${JSON.stringify(name)}`, {
      subject: name,
      class: 'usage',
    })
  }
  return name
}
