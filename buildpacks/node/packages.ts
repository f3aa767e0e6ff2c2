/** The layers with packages: all of them for the build, those for production in the image. */
import { lstat, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type BuildContext, type Layer, type LayerKey, type Slice, userError } from '../sdk/index.ts'
import { npmLevelOfEnvironment, parseNpmrc } from '../sdk/sources.ts'
import { packagesBom } from './bill-of-materials.ts'
import {
  buildScripts,
  installKey,
  optionsDigest,
  reducedManifest,
  whyInApp,
  withoutDigest,
} from './install-plan.ts'
import { type LockFile, parseLockFile } from './lock-file.ts'
import { type CarriedNpm, type NpmRunner, npmError } from './npm.ts'
import type { PackageJson } from './package-json.ts'
import { copyProduction, firstChange, markTime, removeScratch, removeTraces } from './package-tree.ts'
import type { Runtime } from './runtime.ts'

const LOCK_FILES = ['npm-shrinkwrap.json', 'package-lock.json']
const OTHER_MANAGERS: readonly (readonly [file: string, name: string])[] = [
  ['yarn.lock', 'Yarn'],
  ['pnpm-lock.yaml', 'pnpm'],
  ['bun.lock', 'Bun'],
  ['bun.lockb', 'Bun'],
]

/** @throws SlipwayError `NODE_LOCK_MISSING`, `NODE_MANAGER_UNSUPPORTED`, and those of `parseLockFile`. */
export async function readLockFile({ app }: BuildContext): Promise<LockFile> {
  for (const file of LOCK_FILES) {
    const text = await app.readText(file)
    if (text !== undefined) return parseLockFile(text, file)
  }
  for (const [file, name] of OTHER_MANAGERS) {
    if (!(await app.isFile(file))) continue
    throw userError('NODE_MANAGER_UNSUPPORTED', `${name}'s lock file is not understood yet, only npm's`, {
      subject: file,
      hint: 'Run "npm install --package-lock-only" and commit package-lock.json.',
    })
  }
  throw userError('NODE_LOCK_MISSING', 'there is no lock file, so nothing says which versions to install', {
    subject: 'package-lock.json',
    hint: 'Run "npm install --package-lock-only" and commit package-lock.json.',
  })
}

export interface PackagesInput {
  readonly context: BuildContext
  readonly manifest: PackageJson
  readonly lock: LockFile
  readonly npm: CarriedNpm
  readonly runtime: Runtime
  readonly run: NpmRunner
}

/** Installs packages, runs the build scripts and leaves `<app>/node_modules` as the image shall have it. */
export async function providePackages(input: PackagesInput): Promise<readonly Slice[]> {
  const { context, manifest, lock } = input
  const scripts = scriptsToRun(input)
  context.log.step('Packages')
  const unchecked = withoutDigest(lock)
  if (unchecked.length > 0) {
    context.log.warning(
      `${lock.file} has no digest for ${unchecked.slice(0, 5).join(', ')}${unchecked.length > 5 ? ' and others' : ''}: they are installed unchecked`,
      `Remove ${lock.file} and node_modules, run "npm install" and commit the new lock file.`,
    )
  }
  const inApp = whyInApp(manifest, lock)
  if (inApp !== undefined) {
    context.log.info(`installed in the app directory: ${inApp}`)
    return await installInApp(input, scripts)
  }
  if (scripts.length === 0) await installProduction(input)
  else await buildWithPackages(input, scripts)
  return []
}

function scriptsToRun({ context, manifest }: PackagesInput): readonly string[] {
  const scripts = buildScripts(manifest, context.env.BP_NODE_RUN_SCRIPTS)
  const missing = scripts.find((name) => manifest.scripts[name] === undefined)
  if (missing === undefined) return scripts
  throw userError('NODE_SCRIPT_MISSING', `package.json has no script ${JSON.stringify(missing)}`, {
    subject: 'BP_NODE_RUN_SCRIPTS',
    hint: `Scripts that it has: ${Object.keys(manifest.scripts).join(', ') || 'none'}.`,
  })
}

/** Nothing is built: npm installs production packages straight into the layer of the image. */
async function installProduction(input: PackagesInput): Promise<void> {
  const { context } = input
  const key = await keyOf(input, true)
  const { layer, outcome } = await context.layers.provide('modules', {
    types: { launch: true },
    key,
    create: async (layer) => {
      await installInto(layer, input, ['--omit=dev'])
      await rm(join(layer.path, 'node_modules', '.package-lock.json'), { force: true })
    },
  })
  if (outcome !== 'created') context.log.info('unchanged since the last build: its layer is reused')
  await layer.sbom(packagesBom(input.lock, input.runtime.cpu))
  await linkPackages(context, layer)
}

/** All packages in a cached layer for the build, a copy of those for production in the layer of the image. */
async function buildWithPackages(input: PackagesInput, scripts: readonly string[]): Promise<void> {
  const { context, lock } = input
  const key = await keyOf(input, false)
  const { layer: all, outcome } = await context.layers.provide('build-modules', {
    types: { cache: true },
    key,
    create: (layer) => installInto(layer, input, ['--include=dev']),
  })
  if (outcome === 'kept') context.log.info('unchanged since the last build: the cached ones are used')
  const modules = join(all.path, 'node_modules')
  await linkPackages(context, all)

  const since = markTime(all.path)
  await runScripts(input, scripts)
  removeScratch(modules)
  const changed = firstChange(modules, since)
  await saveProduction(input, modules, lock, key, changed)
  if (changed !== undefined) {
    // What comes back must be what npm ci makes, or two builds of one source would differ.
    await all.removeContents()
    await rm(`${all.path}.toml`, { force: true })
    context.log.info(`the build wrote into node_modules (${changed}): packages are installed anew next time`)
  }
}

async function saveProduction(
  { context, runtime }: PackagesInput,
  modules: string,
  lock: LockFile,
  key: LayerKey,
  changed: string | undefined,
): Promise<void> {
  const layer = await context.layers.get('modules')
  if (changed === undefined && layer.matches(key)) {
    context.log.info('production packages are unchanged: their layer is reused')
    await layer.removeContents()
  } else {
    await layer.clear()
    copyProduction(modules, join(layer.path, 'node_modules'), lock)
  }
  await layer.sbom(packagesBom(lock, runtime.cpu))
  await layer.save({ launch: true }, changed === undefined ? key : { ...key, changed: 'by the build' })
  await linkPackages(context, layer)
}

/** npm ci with the lock file and the names in package.json alone, so that nothing else of the app can matter. */
async function installInto(layer: Layer, input: PackagesInput, args: readonly string[]): Promise<void> {
  const { context, manifest, lock } = input
  const npmrc = await context.app.readText('.npmrc')
  const files = {
    'package.json': reducedManifest(manifest),
    [lock.file]: lock.text,
    ...(npmrc === undefined ? {} : { '.npmrc': npmrc }),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(layer.path, name), text)
  await install(input, layer.path, args)
  for (const name of Object.keys(files)) await rm(join(layer.path, name))
  // An app without packages still gets its directory, so that the link to it leads somewhere.
  await mkdir(join(layer.path, 'node_modules'), { recursive: true })
  removeTraces(join(layer.path, 'node_modules'), lock)
}

async function install(
  { context, lock, run }: PackagesInput,
  cwd: string,
  args: readonly string[],
): Promise<void> {
  context.log.info(`npm ci (${lock.packages.length} packages in ${lock.file})`)
  const result = await run(['ci', ...args], cwd)
  if (!result.ok) throw npmError('npm ci', result)
}

async function runScripts({ context, run }: PackagesInput, scripts: readonly string[]): Promise<void> {
  for (const script of scripts) {
    context.log.step(`npm run ${script}`)
    const result = await run(['run', script], context.app.path, {
      NODE_ENV: context.env.NODE_ENV || 'production',
    })
    if (!result.ok) throw npmError(`npm run ${script}`, result)
  }
}

/** Workspaces and the like: everything in the app directory, as a developer has it, the packages in a slice of their own. */
async function installInApp(input: PackagesInput, scripts: readonly string[]): Promise<readonly Slice[]> {
  const { context, lock, run } = input
  const { app } = context
  await rm(join(app.path, 'node_modules'), { recursive: true, force: true })
  await install(input, app.path, scripts.length === 0 ? ['--omit=dev'] : ['--include=dev'])
  if (scripts.length > 0) {
    await runScripts(input, scripts)
    const result = await run(['prune', '--omit=dev', '--ignore-scripts'], app.path)
    if (!result.ok) throw npmError('npm prune', result)
  }
  const modules = join(app.path, 'node_modules')
  removeTraces(modules, lock)
  removeScratch(modules)
  await rm(join(modules, '.package-lock.json'), { force: true })
  return [{ paths: ['node_modules'] }]
}

async function keyOf(input: PackagesInput, productionOnly: boolean): Promise<LayerKey> {
  const { context, manifest, lock, npm, runtime } = input
  const { env, app, target, platform } = context
  const [binding] = await platform.bindings('npmrc')
  const own = env.HOME === undefined ? '' : await readFile(join(env.HOME, '.npmrc'), 'utf8').catch(() => '')
  return installKey({
    lock,
    manifest,
    nodeVersion: runtime.version,
    npmVersion: npm.version,
    arch: target.arch,
    distro: target.distro === undefined ? '' : `${target.distro.name} ${target.distro.version}`,
    options: optionsDigest(
      npmLevelOfEnvironment(env),
      parseNpmrc((await app.readText('.npmrc')) ?? '', {}),
      parseNpmrc(binding?.files['.npmrc'] ?? own, {}),
    ),
    productionOnly,
  })
}

/** `<app>/node_modules` → the layer. Node resolves packages by real path, so those of a layer find each other there. */
async function linkPackages({ app, log }: BuildContext, layer: Layer): Promise<void> {
  const link = join(app.path, 'node_modules')
  const found = await lstat(link).catch(() => undefined)
  if (found?.isDirectory() === true) log.info('node_modules of the source is replaced')
  await rm(link, { recursive: true, force: true })
  await symlink(join(layer.path, 'node_modules'), link)
}

/** npm and npx for scripts that call them by name. */
export async function provideCommands({ layers }: BuildContext, npm: CarriedNpm): Promise<Layer> {
  const layer = await layers.get('npm')
  await layer.clear()
  await mkdir(join(layer.path, 'bin'))
  for (const name of ['npm', 'npx']) {
    const script = `#!/bin/sh\nexec node '${join(npm.path, 'bin', `${name}-cli.js`)}' "$@"\n`
    await writeFile(join(layer.path, 'bin', name), script, { mode: 0o755 })
  }
  await layer.save({ build: true }, { npm: npm.version })
  return layer
}
