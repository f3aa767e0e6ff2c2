// `npm run lifecycle:package [-- FOLDER]`: packages the lifecycle into dist/ (or FOLDER). Plain JavaScript on whatever Node
// the machine has: it installs what package-lock.json names where that is missing, and goes on with the Node among it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..')
const node = join(top, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')

function run(program, args, stdio) {
  const { status, stdout, error } = spawnSync(program, args, { cwd: top, stdio, encoding: 'utf8' })
  if (error !== undefined) console.error(`${program} could not be started: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
  return stdout
}

if (!existsSync(node))
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], ['ignore', 2, 2])
const registry = run('npm', ['config', 'get', 'registry'], ['ignore', 'pipe', 'ignore']).trim()
const output = process.argv[2] ?? 'dist'
run(node, [join(top, 'builders', 'package', 'main.ts'), top, output, registry], 'inherit')
