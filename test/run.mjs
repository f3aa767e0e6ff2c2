// `npm run check` (types, lint, format, the import rule, unit tests) and `npm test` (that, and everything else).
// Plain JavaScript on whatever Node the machine has: it installs what the rest needs first.
//
//   node test/run.mjs            everything
//   node test/run.mjs check      what one runs all day
//   node test/run.mjs -- ARGS    vitest with ARGS, after the same set-up
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const mode = process.argv[2] ?? 'all'

function fail(message) {
  console.error(message)
  process.exit(1)
}

/** Node packages of the developers, exactly as the lock says; done again only when the lock changes. */
function installPackages() {
  const stamp = join(top, 'node_modules', '.installed-lock')
  const lock = createHash('sha256')
    .update(readFileSync(join(top, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  console.log('installing npm packages (npm ci)')
  const { status } = spawnSync(
    'npm',
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: top, stdio: ['ignore', 'inherit', 'inherit'] },
  )
  if (status !== 0) fail('npm ci failed')
  writeFileSync(stamp, lock)
}

/** Debian packages of test/packages.txt: through apt where this user may, else they are named. */
function installSystemPackages() {
  const wanted = readFileSync(join(top, 'test', 'packages.txt'), 'utf8')
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter(Boolean)
  const missing = wanted
    .map((line) => line.split(/\s+/))
    .filter(([, program]) => !onPath(program))
    .map(([name]) => name)
  if (missing.length === 0) return
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (process.getuid() !== 0 || spawnSync('apt-get', ['--version']).status !== 0)
    fail(`the tests need system packages that are not installed: ${missing.join(' ')}\nas root: ${command}`)
  console.log(`installing system packages: ${missing.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const stdio = ['ignore', 'ignore', 'inherit']
  spawnSync('apt-get', ['-q', 'update'], { env, stdio })
  if (spawnSync('apt-get', command.split(' ').slice(1), { env, stdio }).status !== 0)
    fail(`installing failed: ${command}`)
}

function onPath(program) {
  if (program.startsWith('/')) return existsSync(program)
  const path = `${process.env.PATH}:/usr/sbin:/sbin:/usr/local/go/bin`
  return path.split(':').some((folder) => existsSync(join(folder, program)))
}

/** The Node that Slipway runs on, first on the PATH of all that follows. */
function environment() {
  const node = join(top, 'node_modules', `node-linux-${process.arch}`, 'bin')
  const path = `${node}:${join(top, 'node_modules', '.bin')}:${process.env.PATH}:/usr/sbin:/sbin:/usr/local/go/bin`
  return { ...process.env, PATH: path }
}

function step(name, command, args) {
  return new Promise((done) => {
    const start = Date.now()
    const child = spawn(command, args, { cwd: top, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('close', (status) => {
      console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
      if (status !== 0) console.log(output)
      done(status === 0)
    })
  })
}

/** @returns {{passed: number, failed: number}} */
function vitest(args) {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-test-'))
  try {
    const report = join(folder, 'report.json')
    const { status } = spawnSync(
      join(top, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node'),
      [
        join(top, 'node_modules', 'vitest', 'vitest.mjs'),
        'run',
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${report}`,
        ...args,
      ],
      {
        cwd: top,
        env: environment(),
        stdio: ['ignore', 'inherit', 'inherit'],
      },
    )
    if (!existsSync(report)) return { passed: 0, failed: 1 }
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
    // A file that does not even load has no failed test in it, and is one all the same.
    const broken = testResults.filter(
      (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
    ).length
    const failed = numFailedTests + broken
    return { passed: numPassedTests, failed: status !== 0 && failed === 0 ? 1 : failed }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

installPackages()
if (mode === '--') process.exit(vitest(process.argv.slice(3)).failed === 0 ? 0 : 1)
if (mode === 'all') installSystemPackages()

const checks = await Promise.all([
  step('types', join(top, 'node_modules/.bin/tsc'), ['-p', '.']),
  step('lint and format', join(top, 'node_modules/.bin/biome'), ['check', '--error-on-warnings', '.']),
  step('import rule of the rooms', process.execPath, ['test/rooms.mjs']),
])
const tests = vitest(mode === 'check' ? ['--project', 'unit'] : [])
const passed = tests.passed + checks.filter(Boolean).length
const failed = tests.failed + checks.filter((ok) => !ok).length
const summary = `${passed} passed, ${failed} failed`
// .ci/run prints it last, after whatever npm says of a failure.
if (process.env.SLIPWAY_TEST_SUMMARY) writeFileSync(process.env.SLIPWAY_TEST_SUMMARY, `${summary}\n`)
console.log(summary)
process.exit(failed === 0 ? 0 : 1)
