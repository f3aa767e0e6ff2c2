/** How the packages of a lock file are installed, and under which key the result is kept. Pure. */
import { createHash } from 'node:crypto'
import type { LayerKey } from '../sdk/index.ts'
import { fitsPlatform, type LockFile } from './lock-file.ts'
import type { PackageJson } from './package-json.ts'

/** Raised when the same key must not mean the same layer any more. */
const LAYOUT = '1'

/**
 * Why the packages must stand in the app directory itself, undefined where a layer can hold them: npm ci in a layer sees
 * the lock file and the names in package.json, nothing else of the app.
 */
export function whyInApp(manifest: PackageJson, lock: LockFile): string | undefined {
  if (manifest.hasWorkspaces) return 'workspaces'
  const local = lock.packages.find(({ isLink, resolved }) => isLink || resolved?.startsWith('file:') === true)
  if (local !== undefined) return `${local.name} is a directory or file of the app`
  const script = INSTALL_SCRIPTS.find((name) => isInstallWork(name, manifest.scripts[name]))
  return script === undefined ? undefined : `the app's own ${script} script runs while packages are installed`
}

const INSTALL_SCRIPTS = [
  'preinstall',
  'install',
  'postinstall',
  'prepublish',
  'preprepare',
  'prepare',
  'postprepare',
]

/** Git hooks are for developers: a prepare script that only sets them up does nothing in a build. */
function isInstallWork(name: string, script: string | undefined): boolean {
  if (script === undefined || script.trim() === '') return false
  return !(
    name === 'prepare' &&
    /^(?:npx )?(?:husky(?: install)?|lefthook install|simple-git-hooks)(?: \|\| (?:true|:|exit 0))?$/.test(
      script.trim(),
    )
  )
}

const MANIFEST_FIELDS = [
  'dependencies',
  'devDependencies',
  'optionalDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'bundleDependencies',
  'bundledDependencies',
  'overrides',
  'allowScripts',
]

/** package.json as npm ci needs it: a change of anything else must not install again. */
export function reducedManifest(manifest: PackageJson): string {
  const fields = MANIFEST_FIELDS.flatMap((name) =>
    manifest.raw[name] === undefined ? [] : [[name, manifest.raw[name]] as const],
  )
  return `${JSON.stringify(Object.fromEntries(fields), null, 2)}\n`
}

/** Options that say where packages come from or how npm looks, not what is installed. */
const WITHOUT_EFFECT =
  /^(registry|@.*|\/\/.*|_.*|username|email|cache.*|proxy|(http|https)-proxy|noproxy|ca|cafile|cert|key|.*config|strict-ssl|maxsockets|fetch-.*|fund|audit.*|update-notifier|progress|color|loglevel|logs-.*|timing|unicode|replace-registry-host|omit-lockfile-registry-resolved|prefer-o.*line|offline|nodedir|yes|node-gyp|npm-version|(global|local)-prefix|prefix|init-.*|user-agent|noproxy|node-options|editor)$/

/** A digest of the options of npm's levels (strongest first) that change what is installed; empty where there are none. */
export function optionsDigest(...levels: readonly ReadonlyMap<string, string>[]): string {
  const options = new Map<string, string>()
  for (const level of levels.toReversed())
    for (const [key, value] of level) if (!WITHOUT_EFFECT.test(key)) options.set(key, value)
  return options.size === 0 ? '' : digest(JSON.stringify([...options].sort()))
}

export interface KeyParts {
  readonly lock: LockFile
  readonly manifest: PackageJson
  readonly nodeVersion: string
  readonly npmVersion: string
  readonly arch: string
  /** Compiled modules depend on the distribution's libraries. */
  readonly distro: string
  readonly options: string
  /** Development packages are left out from the start: nothing is built. */
  readonly productionOnly: boolean
}

export function installKey(parts: KeyParts): LayerKey {
  return {
    layout: LAYOUT,
    lock: digest(parts.lock.text),
    manifest: digest(reducedManifest(parts.manifest)),
    node: parts.nodeVersion,
    npm: parts.npmVersion,
    arch: parts.arch,
    distro: parts.distro,
    options: parts.options,
    packages: parts.productionOnly ? 'production' : 'all',
  }
}

/** What packages with native code need; npm compiles those with a binding.gyp also where the lock file names no script. */
const NATIVE_HELPERS = new Set([
  '@mapbox/node-pre-gyp',
  'bindings',
  'nan',
  'node-addon-api',
  'node-gyp',
  'node-gyp-build',
  'node-pre-gyp',
  'prebuild-install',
])

/** Whether something may be compiled for this machine while packages are installed. */
export function mayCompile(lock: LockFile, cpu: string): boolean {
  return lock.packages.some(
    (one) =>
      (one.hasInstallScript || one.needs.some((name) => NATIVE_HELPERS.has(name))) && fitsPlatform(one, cpu),
  )
}

/** Packages from a registry whose digest the lock file does not hold: npm takes whatever is served for them. */
export function withoutDigest(lock: LockFile): readonly string[] {
  return lock.packages
    .filter(
      (one) =>
        one.path.includes('node_modules/') &&
        one.integrity === undefined &&
        !one.isLink &&
        !one.isBundled &&
        (one.resolved === undefined || /^https?:/.test(one.resolved)),
    )
    .map(({ name }) => name)
}

/** `BP_NODE_RUN_SCRIPTS`: names parted by commas, empty for none; without it `build` where there is one. */
export function buildScripts(manifest: PackageJson, variable: string | undefined): readonly string[] {
  if (variable === undefined) return manifest.scripts.build === undefined ? [] : ['build']
  return variable
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
