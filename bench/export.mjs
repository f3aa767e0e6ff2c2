// `node bench/export.mjs [small|large …]`: a cold export against what the machine itself needs for the same work.
//
//   export: an app of the tree and a launcher to a registry on 127.0.0.1 (another process, in memory); wall time, CPU and
//   peak memory of the process, median of RUNS (default 5)
//   floor:  CPU of GNU tar + openssl sha256 of tar and gzip + pigz -1 (gzip -1 without pigz), summed, over the cores
//
// The two are run in turn, so that what else the machine does falls on both; the registry's share falls on the export.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { arch, cpus, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeTree, TREES } from './trees.mjs'

const top = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const own = join(top, `node_modules/node-linux-${arch()}/bin/node`)
const node = existsSync(own) ? own : process.execPath
const self = fileURLToPath(import.meta.url)

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]

/** Seconds of CPU of each step, by the shell's own count. */
function floorOf(tree, folder, squeeze) {
  const script = `
    TIMEFORMAT='%U %S'; set -o pipefail
    { time tar -cf - -C "$1" . ; } 2>"$2/tar.cpu" | cat >"$2/tar" &&
    { time openssl sha256 "$2/tar" >&2 ; } 2>"$2/hash.cpu" &&
    { time ${squeeze} -1 -c "$2/tar" ; } 2>"$2/squeeze.cpu" >"$2/gz" &&
    { time openssl sha256 "$2/gz" >&2 ; } 2>"$2/hash-gz.cpu" && tail -qn1 "$2"/*.cpu`
  const text = execFileSync('bash', ['-c', script, 'bash', tree, folder], { encoding: 'utf8' })
  const sum = text
    .trim()
    .split(/\s+/)
    .reduce((total, part) => total + Number(part), 0)
  return sum / cpus().length
}

function exportOnce(host, root, name) {
  const output = execFileSync(node, [self, '--export', host, root, name], { encoding: 'utf8' })
  return JSON.parse(output)
}

/** In a process of its own: one export of `<root>/workspace`. */
async function runExport(host, directory, name) {
  const load = (path) => import(join(top, path))
  const { containerPath } = await load('core/container-path.ts')
  const { mountedRoot } = await load('core/root.ts')
  const { createHttpClient } = await load('core/http/index.ts')
  const { createRegistry } = await load('oci/registry/index.ts')
  const { parseReference } = await load('oci/reference.ts')
  const { randomImage } = await load('oci/testing/index.ts')
  const { parseApiVersion } = await load('spec/api-version.ts')
  const { EMPTY_LIFECYCLE_METADATA } = await load('spec/labels/lifecycle-metadata.ts')
  const { exportImage } = await load('lifecycle/phases/export.ts')
  const http = await createHttpClient({ userAgent: 'slipway-bench' })
  const registry = createRegistry({ http, insecure: [host] })
  const images = { repository: (reference) => registry.repository(reference) }
  const run = `${host}/${name}/base:run`
  await randomImage({ repository: images.repository(parseReference(run)), tags: ['run'] })
  const runImage = { image: run, reference: run, extend: false }
  const before = process.cpuUsage()
  const start = performance.now()
  await exportImage(
    {
      images: [`${host}/${name}/app`],
      analyzed: { metadata: EMPTY_LIFECYCLE_METADATA, runImage },
      group: { group: [], groupExtensions: [] },
      appDir: containerPath('/workspace'),
      layersDir: containerPath('/layers'),
      owner: { uid: 1000, gid: 1000 },
      launcher: {
        program: Buffer.from('launcher'),
        metadata: { version: '0', source: { git: { repository: '', commit: '' } } },
      },
    },
    { root: mountedRoot(directory, []), emit: () => {}, platformApi: parseApiVersion('0.15'), images },
  )
  const wall = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  console.log(
    JSON.stringify({ wall, cpu: (user + system) / 1e6, peak: process.resourceUsage().maxRSS / 1024 }),
  )
  await http.close()
}

/** In a process of its own, until its standard input ends; forgets every blob between runs by another name each. */
async function serve() {
  const { startTestRegistry } = await import(join(top, 'oci/registry/testing/server.ts'))
  const registry = await startTestRegistry()
  console.log(registry.host)
  process.stdin.on('end', () => process.exit(0)).resume()
}

async function startRegistry() {
  const child = spawn(node, [self, '--serve'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [first] = await new Promise((done) =>
    child.stdout.once('data', (data) => done(`${data}`.split('\n'))),
  )
  return { host: first, close: () => child.stdin.end() }
}

function hasPigz() {
  try {
    execFileSync('pigz', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

async function measure(kinds) {
  const runs = Number(process.env.RUNS ?? 5)
  const squeeze = hasPigz() ? 'pigz' : 'gzip'
  console.log(`${cpus().length} × ${cpus()[0]?.model}, Linux, ${runs} runs a median, floor with ${squeeze}\n`)
  console.log('| cold export | wall | CPU | floor | wall : floor | peak memory |')
  console.log('|---|---|---|---|---|---|')
  for (const kind of kinds) {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-'))
    try {
      mkdirSync(join(folder, 'root/layers/config'), { recursive: true })
      writeFileSync(join(folder, 'root/layers/config/metadata.toml'), '')
      makeTree(kind, join(folder, 'root/workspace'))
      const results = []
      const floors = []
      for (let run = 0; run < runs; run++) {
        const registry = await startRegistry()
        results.push(exportOnce(registry.host, join(folder, 'root'), 'bench'))
        registry.close()
        floors.push(floorOf(join(folder, 'root/workspace'), folder, squeeze))
      }
      const of = (field) => median(results.map((result) => result[field]))
      const floor = median(floors)
      const { files, bytes } = TREES[kind]
      console.log(
        `| ${files} files, ${bytes / 1e6} MB | ${of('wall').toFixed(2)} s | ${of('cpu').toFixed(2)} s | ${floor.toFixed(2)} s | ${(of('wall') / floor).toFixed(2)} | ${of('peak').toFixed(0)} MB |`,
      )
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

const [role, ...rest] = process.argv.slice(2)
if (role === '--serve') await serve()
else if (role === '--export') await runExport(...rest)
else await measure(role === undefined ? Object.keys(TREES) : [role, ...rest])
