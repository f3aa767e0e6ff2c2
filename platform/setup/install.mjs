// Installs the program of a clone: `node install.mjs CLONE DATA` prints the program's folder on standard output and
// what it does on standard error. Plain JavaScript, because it runs on whatever Node (20 or later) the machine has,
// before there is anything else.
//
// DATA/dependencies/<digest of the lock>/   npm packages, without the developers' own
// DATA/programs/<digest of the sources>/    the bundled program and all it needs to assemble a builder
//
// Both are made beside their final name and renamed: a killed or a second installation leaves nothing half-done.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { bundle, SOURCE_FOLDERS } from './bundle.mjs'

const DAY = 24 * 60 * 60 * 1000

const say = (text) => process.stderr.write(`slipway: ${text}\n`)

class Failure extends Error {}

/** Runs `make(folder)` on a fresh folder beside `target` and gives it that name; another's finished one is as good. */
async function once(target, make) {
  if (existsSync(join(target, 'complete'))) return target
  mkdirSync(dirname(target), { recursive: true })
  const temporary = mkdtempSync(`${target}.`)
  try {
    await make(temporary)
    writeFileSync(join(temporary, 'complete'), '')
    try {
      renameSync(temporary, target)
    } catch (error) {
      if (!existsSync(join(target, 'complete'))) throw error
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  return target
}

function digest(clone, files) {
  const hash = createHash('sha256')
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(clone, file)))
      .update('\0')
  return hash.digest('hex').slice(0, 32)
}

function filesBelow(clone, folder) {
  return readdirSync(join(clone, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.name.includes('.test.'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(clone.length + 1))
    .sort()
}

function installDependencies(clone, folder) {
  say(`installing dependencies (npm ci) into ${folder.replace(/\.[^.]*$/, '')}`)
  for (const file of ['package.json', 'package-lock.json', '.npmrc'])
    copyFileSync(join(clone, file), join(folder, file))
  // Node's scripts are not run: no dependency needs one. Engines are not enforced: all runs on the Node that comes with it.
  const npm = spawnSync(
    'npm',
    ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: folder,
      stdio: ['ignore', 2, 2],
      env: { ...process.env, npm_config_engine_strict: 'false' },
    },
  )
  if (npm.error !== undefined) throw new Failure(`npm could not be started: ${npm.error.message}`)
  if (npm.status !== 0) {
    throw new Failure(
      'npm ci failed (its message stands above). Slipway needs the npm registry that npm is set up for, once.',
    )
  }
}

/**
 * Programs of clones that moved on, dependencies of locks that are gone, and what killed installations left. A running
 * program may still load a part of itself, and another installation may be under way: hence the day of grace.
 */
function removeOld(data, lock) {
  const clones = join(data, 'programs', 'clones')
  const records = existsSync(clones) ? readdirSync(clones) : []
  const used = new Set([clones, join(data, 'dependencies', lock)])
  for (const record of records) used.add(readFileSync(join(clones, record), 'utf8').split('\n')[1])
  for (const folder of ['programs', 'dependencies']) {
    for (const name of readdirSync(join(data, folder))) {
      const path = join(data, folder, name)
      if (!used.has(path) && Date.now() - statSync(path).mtimeMs > DAY)
        rmSync(path, { recursive: true, force: true })
    }
  }
}

async function main(clone, data) {
  const [major] = process.versions.node.split('.')
  if (Number(major) < 20) throw new Failure(`Node.js 20 or later is needed, this is ${process.version}`)
  const start = Date.now()
  const lock = digest(clone, ['package-lock.json'])
  const sources = digest(clone, [
    'package.json',
    'package-lock.json',
    ...SOURCE_FOLDERS.flatMap((folder) => filesBelow(clone, folder)),
  ])
  const target = join(data, 'programs', sources)
  if (!existsSync(join(target, 'complete'))) {
    const dependencies = await once(join(data, 'dependencies', lock), (folder) =>
      installDependencies(clone, folder),
    )
    say('bundling the program')
    await once(target, (folder) => bundle({ clone, dependencies, folder }))
    say(
      `ready in ${((Date.now() - start) / 1000).toFixed(1)} s; this happens again only when the clone changes`,
    )
    removeOld(data, lock)
  }
  process.stdout.write(`${target}\n`)
}

try {
  await main(process.argv[2], process.argv[3])
} catch (error) {
  say(error instanceof Failure ? error.message : error.stack)
  process.exit(1)
}
