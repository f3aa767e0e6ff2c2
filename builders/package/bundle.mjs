// The lifecycle's own files beside Node and the native programs, as they stand flat in /cnb/lifecycle:
//
//   lifecycle.cjs      looks at the name it was called by, and loads one of
//   <command>.cjs      each command with all it needs: what a phase does not run is not parsed (docs/decisions/016)
//   undici.cjs         the HTTP client, loaded with the first request
//   telemetry.cjs      tracing, loaded where a collector is named
//   *.sbom.*.json      bills of materials of the lifecycle and of the launcher
//
// Plain JavaScript on any Node: the program that a clone installs is bundled with it (platform/setup), and so is the
// packaged lifecycle.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { billsOfMaterials } from './sbom.mjs'

/** The C library in native/built: that of zig 0.17.0. */
const MUSL = '1.2.5'

/** What a bundled file is the same in, wherever the clone and its dependencies stand. */
export function bundleOptions({ clone, dependencies, version }) {
  return {
    absWorkingDir: clone,
    bundle: true,
    platform: 'node',
    target: 'node24',
    // Comments with file names would tie the bytes to where the clone and the dependencies stand.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    define: { SLIPWAY_VERSION: JSON.stringify(version) },
    logLevel: 'error',
    plugins: [fromDependencies(dependencies)],
  }
}

/** Programs that start for a moment load the HTTP client, two thirds of their code, only when they speak to a server. */
export async function bundleProgram({ clone, dependencies, version, entryPoints, folder, plugins = [] }) {
  const esbuild = createRequire(join(dependencies, 'package.json'))('esbuild')
  const options = bundleOptions({ clone, dependencies, version })
  const short = {
    ...options,
    outdir: folder,
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    // require() starts sooner than import(), which sets up the loader of ES modules first.
    supported: { 'dynamic-import': false },
  }
  await esbuild.build({
    ...short,
    entryPoints,
    plugins: [...plugins, undiciApart(), ...options.plugins],
  })
  await esbuild.build({
    ...short,
    outdir: undefined,
    outfile: join(folder, 'undici.cjs'),
    stdin: httpClient(dependencies),
  })
}

/**
 * What core/http uses of undici, put together as undici's index does, without its fetch, WebSocket, cache and mocks: a third
 * less to carry, and half the time to load. What is missing here is missing in the packaged programs alone; their tests
 * speak to registries.
 */
function httpClient(dependencies) {
  const contents = `
exports.Pool = require('undici/lib/dispatcher/pool.js')
exports.ProxyAgent = require('undici/lib/dispatcher/proxy-agent.js')
Object.assign(require('undici/lib/dispatcher/dispatcher.js').prototype, require('undici/lib/api'))
`
  return { contents, resolveDir: dependencies }
}

/**
 * @param {{clone: string, dependencies: string, version: string, folder: string, libraries?: readonly import('./sbom.mjs').Component[]}} options
 *   `dependencies` is the folder whose node_modules holds what package-lock.json names; `libraries` what else the
 *   lifecycle's bill of materials has: the C library, where it is known already
 */
export async function bundleLifecycle({ clone, dependencies, version, folder, libraries = [] }) {
  const commands = new Set()
  const common = { clone, dependencies, version, folder }
  await bundleProgram({
    ...common,
    entryPoints: { lifecycle: 'lifecycle/main.ts' },
    plugins: [commandsApart(commands)],
  })
  const entryPoints = Object.fromEntries(
    [...commands].sort().map((name) => [name, `lifecycle/commands/${name}.ts`]),
  )
  await bundleProgram({ ...common, entryPoints, plugins: [telemetryApart()] })
  await bundleProgram({ ...common, entryPoints: { telemetry: 'lifecycle/telemetry/telemetry.ts' } })
  const bills = lifecycleBills(dependencies, version, libraries)
  for (const [file, text] of Object.entries(bills)) writeFileSync(join(folder, file), text)
}

/** Leaves what main.ts loads for one command to a file of its own, and says which there are. */
function commandsApart(found) {
  return {
    name: 'commands-apart',
    setup(build) {
      build.onResolve({ filter: /^\.\/commands\/[a-z-]+\.ts$/ }, ({ path, importer, kind }) => {
        if (kind !== 'dynamic-import' || basename(importer) !== 'main.ts') return undefined
        const name = basename(path, '.ts')
        found.add(name)
        return { path: `./${name}.cjs`, external: true }
      })
    },
  }
}

/** Leaves what few ask for, and what loads the HTTP client, out of the commands that need none. */
function telemetryApart() {
  return {
    name: 'telemetry-apart',
    setup(build) {
      build.onResolve({ filter: /\/telemetry\/telemetry\.ts$/ }, ({ kind }) =>
        kind === 'dynamic-import' ? { path: './telemetry.cjs', external: true } : undefined,
      )
    },
  }
}

/** Leaves undici to a file of its own beside the bundle; it is loaded with the first request (core/http/client.ts). */
function undiciApart() {
  return {
    name: 'undici-apart',
    setup(build) {
      build.onResolve({ filter: /^undici$/ }, () => ({ path: './undici.cjs', external: true }))
    },
  }
}

/** What the lifecycle and the launcher are made of, from the lock of what was installed. */
function lifecycleBills(dependencies, version, libraries) {
  const { packages } = JSON.parse(
    readFileSync(join(dependencies, 'node_modules', '.package-lock.json'), 'utf8'),
  )
  const npm = (name) => {
    const { version: installed, license } = packages[`node_modules/${name}`]
    return { name, version: installed, license, purl: `pkg:npm/${name}@${installed}` }
  }
  const node = packages[`node_modules/node-linux-${process.arch}`].version
  return {
    ...billsOfMaterials('lifecycle', version, [
      { name: 'node', version: node, license: 'MIT', purl: `pkg:generic/node@${node}` },
      ...['semver', 'smol-toml', 'undici'].map(npm),
      ...libraries,
    ]),
    // musl comes with the compiler that native/requirements.txt pins.
    ...billsOfMaterials('launcher', version, [
      { name: 'musl', version: MUSL, license: 'MIT', purl: `pkg:generic/musl@${MUSL}` },
    ]),
  }
}

/** Packages come from the program's own dependencies, never from a developer's node_modules beside the sources. */
function fromDependencies(dependencies) {
  return {
    name: 'from-dependencies',
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, (args) => {
        if (
          args.pluginData === 'resolved' ||
          args.importer.startsWith(dependencies) ||
          args.path.startsWith('node:')
        )
          return undefined
        return build.resolve(args.path, {
          kind: args.kind,
          importer: args.importer,
          resolveDir: dependencies,
          pluginData: 'resolved',
        })
      })
    },
  }
}
