import { SlipwayError } from '../../core/error.ts'
import { type HostPlaces, hostBindings } from '../../sources/registries/host.ts'
import type { PlatformFiles } from './directory.ts'
import type { BuildRequest } from './request.ts'

/**
 * What the buildpacks are given below `<platform>`: the user's variables, and the machine's package-registry settings as
 * service bindings (servicebinding.io) where the request allows it.
 */
export async function platformFiles(request: BuildRequest, places: HostPlaces): Promise<PlatformFiles> {
  const files: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.env)) files[`env/${name}`] = value
  if (request.hostConfig === 'off') return files
  const bindings = await hostBindings({ ...places, withCredentials: request.hostConfig === 'credentials' })
  for (const binding of bindings) {
    files[`bindings/${safe(binding.name)}/type`] = binding.type
    for (const [key, content] of Object.entries(binding.files))
      files[`bindings/${safe(binding.name)}/${safe(key)}`] = content
  }
  return files
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
