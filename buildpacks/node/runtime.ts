/** The layers with Node.js: the program, its headers for native modules, and the choice of the version. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuildContext, type Layer, SlipwayError, userError } from '../sdk/index.ts'
import { extractTarball, fetchVersions, type NpmRegistry, type NpmVersion } from '../sdk/sources.ts'
import { runtimeBom } from './bill-of-materials.ts'
import {
  chooseVersion,
  isExact,
  notFound,
  requestedVersion,
  satisfiesRange,
  type VersionRequest,
} from './node-version.ts'
import { type CarriedNpm, npmRegistry } from './npm.ts'
import type { PackageJson } from './package-json.ts'

/** How long a version that was chosen for a range is kept without asking the registry for a newer one. */
const CHOICE_LASTS = 24 * 3600 * 1000

/** Architectures of images, as Node names them in its packages. */
const CPUS: Readonly<Record<string, string>> = { amd64: 'x64', arm64: 'arm64' }

export interface Runtime {
  readonly version: string
  /** `x64`, `arm64` */
  readonly cpu: string
  readonly layer: Layer
  /** Where node-gyp finds the headers; only where something may be compiled. */
  readonly headers: Layer | undefined
}

export interface RuntimeOptions {
  readonly npm: CarriedNpm
  readonly manifest: PackageJson
  readonly wantsHeaders: (cpu: string) => boolean
  readonly now: number
}

/** Provides the version that the app asks for. Without network where the last build's choice still holds. */
export async function provideRuntime(context: BuildContext, options: RuntimeOptions): Promise<Runtime> {
  const cpu = CPUS[context.target.arch]
  if (cpu === undefined || context.target.os !== 'linux') {
    throw userError(
      'NODE_TARGET_UNSUPPORTED',
      `there is no Node.js for ${context.target.os}/${context.target.arch}`,
      {
        subject: `${context.target.os}/${context.target.arch}`,
        hint: 'Build for linux/amd64 or linux/arm64.',
      },
    )
  }
  const request = await readRequest(context, options.manifest)
  const layer = await context.layers.get('node')
  const headers = options.wantsHeaders(cpu) ? await context.layers.get('node-headers') : undefined
  const place: Places = {
    context,
    request,
    packageName: `node-linux-${cpu}`,
    cpu,
    layer,
    headers,
    ...options,
  }

  const kept = await keepChoice(place)
  if (kept !== undefined) {
    await finish(place, kept)
    return { version: kept.version, cpu, layer, headers }
  }
  const version = await install(place)
  return { version, cpu, layer, headers }
}

interface Places extends RuntimeOptions {
  readonly context: BuildContext
  readonly request: VersionRequest
  readonly packageName: string
  readonly cpu: string
  readonly layer: Layer
  readonly headers: Layer | undefined
}

interface Installed {
  readonly version: string
  readonly integrity: string
}

async function readRequest({ app, env, log }: BuildContext, manifest: PackageJson): Promise<VersionRequest> {
  const request = requestedVersion({
    variable: env.BP_NODE_VERSION,
    engines: manifest.nodeRange,
    nvmrc: await app.readText('.nvmrc'),
    nodeVersionFile: await app.readText('.node-version'),
  })
  log.step('Node.js')
  log.info(
    request.rule === 'the default'
      ? `no version is asked for: ${request.written}, the newest line with long-term support`
      : `${request.rule} asks for ${request.written}`,
  )
  return request
}

/**
 * The version that is here, if it still answers the request: an exact one always, that of a range for a day after it was
 * chosen for the same range. The day stands in a layer that only the cache has, so that no image depends on the clock.
 */
async function keepChoice(place: Places): Promise<Installed | undefined> {
  const { layer, headers, request, context } = place
  const installed = installedIn(place)
  if (installed === undefined || !layer.isRestored || !satisfiesRange(installed.version, request.range))
    return undefined
  if (
    headers !== undefined &&
    !(headers.isRestored && headers.matches(headersKey(installed.version, place.cpu)))
  )
    return undefined
  const choice = (await context.layers.get('node-choice')).previous
  const made = choice?.range === request.range ? Date.parse(String(choice.made)) : Number.NaN
  const age = place.now - made
  if (!isExact(request.range) && !(age >= 0 && age < CHOICE_LASTS)) return undefined
  await saveChoice(place, Number.isNaN(made) ? place.now : made)
  context.log.info(`${installed.version}, kept from the last build`)
  return installed
}

function installedIn({ layer, cpu }: Places): Installed | undefined {
  const { version, integrity, cpu: built } = layer.previous ?? {}
  return typeof version === 'string' && typeof integrity === 'string' && built === cpu
    ? { version, integrity }
    : undefined
}

async function install(place: Places): Promise<string> {
  const { context, request, packageName, layer, headers } = place
  const http = await context.network.http()
  const registry = await npmRegistry(place.npm, context)
  let versions: readonly NpmVersion[]
  try {
    versions = await fetchVersions(http, registry, packageName)
  } catch (error) {
    return await withoutRegistry(place, error)
  }
  const names = versions.map(({ version }) => version)
  const chosen = versions.find(({ version }) => version === chooseVersion(names, request.range))
  if (chosen === undefined) return notFound(request, names, context.target.arch)
  checkNpmRunsOn(chosen.version, place)

  const sameProgram = layer.isRestored && installedIn(place)?.integrity === chosen.integrity
  const sameHeaders =
    headers === undefined || (headers.isRestored && headers.matches(headersKey(chosen.version, place.cpu)))
  if (sameProgram && sameHeaders) context.log.info(`${chosen.version} is still the newest that fits`)
  else await download(place, http, registry, chosen, { program: !sameProgram, headers: !sameHeaders })
  await finish(place, chosen)
  await saveChoice(place, place.now)
  return chosen.version
}

/** A registry that does not answer is no reason to fail while a version that fits is here. */
async function withoutRegistry(place: Places, error: unknown): Promise<string> {
  const installed = installedIn(place)
  const fits = installed !== undefined && satisfiesRange(installed.version, place.request.range)
  if (!fits || !place.layer.isRestored || place.headers !== undefined || !(error instanceof SlipwayError))
    throw error
  place.context.log.warning(
    `the npm registry could not be asked for newer versions; ${installed.version} of the last build is kept`,
    error.message,
  )
  await finish(place, installed)
  return installed.version
}

function checkNpmRunsOn(version: string, { npm, request }: Places): void {
  if (satisfiesRange(version, npm.nodeRange)) return
  throw userError('NODE_VERSION_TOO_OLD', `Node.js ${version} is too old for npm ${npm.version}`, {
    subject: request.rule,
    hint: `Ask for one of ${npm.nodeRange}.`,
  })
}

async function download(
  { context, layer, headers }: Places,
  http: Parameters<typeof extractTarball>[0],
  registry: NpmRegistry,
  version: NpmVersion,
  wanted: { readonly program: boolean; readonly headers: boolean },
): Promise<void> {
  context.log.info(`${version.version} from the npm registry (${version.name})`)
  if (wanted.program) await layer.clear()
  if (wanted.headers) await headers?.clear()
  await extractTarball(http, registry, version, {
    select: (path) => {
      if (wanted.program && (path === 'bin/node' || path === 'LICENSE')) return join(layer.path, path)
      if (wanted.headers && headers !== undefined && path.startsWith('include/'))
        return join(headers.path, path)
      return undefined
    },
  })
}

/** Environment, SBOM and metadata of the layers; files that are right already stay untouched. */
async function finish(place: Places, { version, integrity }: Installed): Promise<void> {
  const { context, layer, headers, cpu } = place
  await layer.environment('launch', {
    NODE_ENV: { default: context.env.NODE_ENV || 'production' },
    // Programs of packages for start commands; the directory is the app's whichever way node_modules gets there.
    PATH: { prepend: join(context.app.path, 'node_modules', '.bin'), delimiter: ':' },
  })
  await layer.sbom(runtimeBom(version, place.packageName, integrity))
  await layer.save({ launch: true, build: true, cache: true }, { version, integrity, cpu })
  await headers?.save({ cache: true }, headersKey(version, cpu))
}

function headersKey(version: string, cpu: string) {
  return { version, cpu }
}

async function saveChoice({ context, request }: Places, made: number): Promise<void> {
  const layer = await context.layers.get('node-choice')
  await mkdir(layer.path, { recursive: true })
  // A cached layer must not be empty: the lifecycle would not know it from a missing one.
  await writeFile(join(layer.path, 'range'), request.range)
  await layer.save({ cache: true }, { range: request.range, made: new Date(made).toISOString() })
}
