// `npm run bench:minutes`: what a newcomer waits for, in a fresh copy of this clone with a home of its own.
//
//   installing, assembling the builder, each phase of the first build: once (they happen once)
//   the second build with nothing changed, and with a line of source changed: medians of RUNS (default 7)
//   "own": the build less the time that the buildpacks' own programs ran (npm ci, tsc …)
//
// Machines are noisy: quote the ratios to `node -e 0`, timed in turn with the builds.
import { execFileSync, spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const runs = Number(process.env.RUNS ?? 7)

const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-'))
const clone = join(folder, 'clone')
const env = { ...process.env, SLIPWAY_HOME: join(folder, 'home') }

/** Runs a command to its end; milliseconds of wall time, standard output, standard error. */
function timed(program, args) {
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: clone,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (status !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stdout}\n${stderr}`)
  return { wall: performance.now() - start, stdout, stderr }
}

/** A build of the example: wall time, the buildpacks' share, phases and tasks. */
function build(name, ...more) {
  const { wall, stdout, stderr } = timed('./slipway', [
    'build',
    name,
    '--path',
    'examples/node',
    '--log-format',
    'json',
    ...more,
  ])
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const labels = new Map(
    events.filter(({ type }) => type === 'task-started').map(({ task, label }) => [task, label]),
  )
  const of = (type) => events.filter((event) => event.type === type)
  const theirs = of('buildpack-finished').reduce((sum, { milliseconds }) => sum + milliseconds, 0)
  return {
    wall,
    theirs,
    own: wall - theirs,
    installing: /ready in ([\d.]+) s/.exec(stderr)?.[1],
    tasks: of('task-finished').map(({ task, milliseconds }) => [labels.get(task), milliseconds]),
    phases: of('phase-finished').map(({ phase, milliseconds }) => [phase, milliseconds]),
    reused: of('layer-exported').filter(({ outcome }) => outcome !== 'added').length,
    layers: of('layer-exported').length,
  }
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`
const row = (name, value, note = '') => console.log(`| ${name} | ${value} | ${note} |`)

try {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: top,
    encoding: 'utf8',
  })
  for (const file of files.split('\0').filter((name) => name !== '' && existsSync(join(top, name))))
    cpSync(join(top, file), join(clone, file), { verbatimSymlinks: true })

  console.log(
    `${cpus().length} × ${cpus()[0]?.model}, Linux, Node ${process.version}, ${runs} runs a median\n`,
  )
  console.log('| what | time | of it |')
  console.log('|---|---|---|')
  const first = build('hello')
  row('first build on a fresh machine', seconds(first.wall), `installing ${first.installing} s`)
  for (const [label, ms] of [...first.tasks, ...first.phases]) row(`… ${label}`, seconds(ms))
  row("… of the build phase, the buildpacks' own programs", seconds(first.theirs))
  const disk = execFileSync('du', ['-sm', env.SLIPWAY_HOME], { encoding: 'utf8' }).split('\t')[0]
  row('disk used after it', `${disk} MB`)

  const again = []
  const changed = []
  const floor = []
  for (let i = 0; i < runs; i++) {
    floor.push(timed(process.execPath, ['-e', '0']).wall)
    again.push(build('hello'))
    appendFileSync(join(clone, 'examples/node/src/server.ts'), `\n// line ${i}\n`)
    changed.push(build('hello'))
    // The next unchanged build is one of the changed source.
  }
  const show = (name, results) => {
    const own = median(results.map((result) => result.own))
    row(
      name,
      `${seconds(median(results.map((result) => result.wall)))} (own ${seconds(own)})`,
      `${results[0].reused} of ${results[0].layers} layers reused; own ${(own / median(floor)).toFixed(0)} × \`node -e 0\``,
    )
    for (const phase of ['analyze', 'detect', 'restore', 'build', 'export'])
      row(
        `… ${phase}`,
        seconds(median(results.map(({ phases }) => phases.find(([key]) => key === phase)[1]))),
      )
  }
  show('second build, nothing changed', again)
  show('second build, a line of source changed', changed)
  row(
    '`./slipway --version`',
    seconds(median(Array.from({ length: runs }, () => timed('./slipway', ['--version']).wall))),
  )
  row('`node -e 0`', seconds(median(floor)))
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
