// What a program folder holds, made from a clone's sources:
//
//   node                       the Node that everything runs on (a hard link into the dependencies where that works)
//   slipway.mjs, chunk-*.mjs    the command
//   keys/                      public keys of the Debian archive
//   xz-worker.mjs              worker thread of sources/archive
//   lifecycle/                 what stands flat in a builder's /cnb/lifecycle: lifecycle.cjs, undici.cjs, bills of materials
//   buildpacks/<name>/         each buildpack as it stands in a builder image
//   native/<arch>/             launcher, starter, sandbox helper
//   program.json               version and the paths that are elsewhere
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { billsOfMaterials } from './sbom.mjs'

/** Everything a program is made of; `slipway` watches the same list. */
export const SOURCE_FOLDERS = [
  'core',
  'spec',
  'oci',
  'sources',
  'native',
  'lifecycle',
  'buildpacks',
  'builders',
  'platform',
]

/** The C library in native/built: that of zig 0.17.0. */
const MUSL = '1.2.5'

const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' }

/** @param {{clone: string, dependencies: string, folder: string}} options */
export async function bundle({ clone, dependencies, folder }) {
  const esbuild = createRequire(join(dependencies, 'package.json'))('esbuild')
  const version = JSON.parse(readFileSync(join(clone, 'package.json'), 'utf8')).version

  const common = {
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

  await esbuild.build({
    ...common,
    entryPoints: { slipway: 'platform/cli/main.ts', 'xz-worker': 'sources/archive/xz-worker.ts' },
    outdir: folder,
    format: 'esm',
    splitting: true,
    // Beside the entries, so that what a module finds beside itself (keys/, xz-worker) is found from a chunk too.
    chunkNames: 'chunk-[hash]',
    outExtension: { '.js': '.mjs' },
    // Dependencies written for CommonJS call require for Node's own modules.
    banner: { js: "import{createRequire as $r}from'node:module';const require=$r(import.meta.url);" },
  })
  // Programs that start for a moment load the HTTP client, two thirds of their code, only when they speak to a server.
  const short = { ...common, format: 'cjs', outExtension: { '.js': '.cjs' } }
  const apart = { ...short, plugins: [undiciApart(), ...common.plugins] }
  const undici = { ...short, entryPoints: { undici: 'undici' } }

  await esbuild.build({
    ...apart,
    entryPoints: { lifecycle: 'lifecycle/main.ts' },
    outdir: join(folder, 'lifecycle'),
  })
  await esbuild.build({ ...undici, outdir: join(folder, 'lifecycle') })
  writeBills(dependencies, version, join(folder, 'lifecycle'))

  const architecture = ARCHITECTURES[process.arch]
  if (architecture === undefined)
    throw new Error(`no runtime for ${process.arch}: amd64 and arm64 are supported`)
  const starter = join(clone, 'native', 'built', architecture, 'starter')
  for (const name of buildpacks(clone)) {
    const source = join(clone, 'buildpacks', name)
    const target = join(folder, 'buildpacks', name)
    await esbuild.build({
      ...apart,
      entryPoints: { buildpack: join('buildpacks', name, 'buildpack.ts') },
      outdir: target,
    })
    await esbuild.build({ ...undici, outdir: target })
    copyFileSync(join(source, 'buildpack.toml'), join(target, 'buildpack.toml'))
    mkdirSync(join(target, 'bin'))
    for (const program of ['detect', 'build']) copyFileSync(starter, join(target, 'bin', program))
  }

  // npm comes with Slipway's own dependencies, pinned by the lock; the Node.js buildpack carries it.
  cpSync(join(dependencies, 'node_modules', 'npm'), join(folder, 'buildpacks', 'node', 'npm'), {
    recursive: true,
  })
  cpSync(join(clone, 'native', 'built'), join(folder, 'native'), { recursive: true })
  cpSync(join(clone, 'sources', 'debian', 'keys'), join(folder, 'keys'), { recursive: true })
  const node = join(dependencies, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
  link(node, join(folder, 'node'))
  chmodSync(join(folder, 'node'), 0o755)
  writeFileSync(
    join(folder, 'program.json'),
    `${JSON.stringify({ version, architecture }, null, 2)}
`,
  )
}

/** Folders below buildpacks/ that hold a buildpack (the SDK beside them does not). */
function buildpacks(clone) {
  const folder = join(clone, 'buildpacks')
  return readdirSync(folder).filter((name) => existsSync(join(folder, name, 'buildpack.toml')))
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
function writeBills(dependencies, version, folder) {
  const { packages } = JSON.parse(
    readFileSync(join(dependencies, 'node_modules', '.package-lock.json'), 'utf8'),
  )
  const npm = (name) => {
    const { version: installed, license } = packages[`node_modules/${name}`]
    return { name, version: installed, license, purl: `pkg:npm/${name}@${installed}` }
  }
  const node = packages[`node_modules/node-linux-${process.arch}`].version
  const bills = {
    ...billsOfMaterials('lifecycle', version, [
      { name: 'node', version: node, license: 'MIT', purl: `pkg:generic/node@${node}` },
      ...['semver', 'smol-toml', 'undici'].map(npm),
    ]),
    // musl comes with the compiler that native/requirements.txt pins.
    ...billsOfMaterials('launcher', version, [
      { name: 'musl', version: MUSL, license: 'MIT', purl: `pkg:generic/musl@${MUSL}` },
    ]),
  }
  for (const [file, text] of Object.entries(bills)) writeFileSync(join(folder, file), text)
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

function link(from, to) {
  mkdirSync(dirname(to), { recursive: true })
  try {
    linkSync(from, to)
  } catch {
    copyFileSync(from, to)
  }
}
