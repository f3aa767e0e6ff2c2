/** Where buildpacks install from: the part of sources/ that authors use. */
export { fetchVersions, type NpmRegistry, type NpmVersion } from '../../sources/npm/registry.ts'
export { extractTarball } from '../../sources/npm/tarball.ts'
export { npmConfiguration, npmLevelOfEnvironment, parseNpmrc } from '../../sources/registries/npmrc.ts'
export { mergeCredentials, type RegistryAccess } from '../../sources/registries/settings.ts'
