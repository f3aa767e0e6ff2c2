// What a program folder holds, made from a clone's sources:
//
//   node                       the Node that everything runs on (a hard link into the dependencies where that works)
//   slipway.mjs, chunk-*.mjs    the command
//   keys/                      public keys of the Debian archive
//   xz-worker.mjs              worker thread of sources/archive
//   lifecycle/                 what stands flat in a builder's /cnb/lifecycle (builders/package/bundle.mjs)
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
import { bundleLifecycle, bundleOptions, bundleProgram } from '../../builders/package/bundle.mjs'

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

const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' }

/** @param {{clone: string, dependencies: string, folder: string}} options */
export async function bundle({ clone, dependencies, folder }) {
  const esbuild = createRequire(join(dependencies, 'package.json'))('esbuild')
  const version = JSON.parse(readFileSync(join(clone, 'package.json'), 'utf8')).version

  const common = bundleOptions({ clone, dependencies, version })
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
  mkdirSync(join(folder, 'lifecycle'))
  await bundleLifecycle({ clone, dependencies, version, folder: join(folder, 'lifecycle') })

  const architecture = ARCHITECTURES[process.arch]
  if (architecture === undefined)
    throw new Error(`no runtime for ${process.arch}: amd64 and arm64 are supported`)
  const starter = join(clone, 'native', 'built', architecture, 'starter')
  for (const name of buildpacks(clone)) {
    const source = join(clone, 'buildpacks', name)
    const target = join(folder, 'buildpacks', name)
    await bundleProgram({
      clone,
      dependencies,
      version,
      entryPoints: { buildpack: join('buildpacks', name, 'buildpack.ts') },
      folder: target,
    })
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

function link(from, to) {
  mkdirSync(dirname(to), { recursive: true })
  try {
    linkSync(from, to)
  } catch {
    copyFileSync(from, to)
  }
}
