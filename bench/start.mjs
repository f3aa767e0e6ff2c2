// Part of `npm run bench`: what the packaged lifecycle costs to start, against `node -e 0` of the same machine, timed in turn.
//
//   detector -version      from exec to exit, with flags read and nothing done: the start of a phase without a registry
//   detector, 1 buildpack  a whole detection; its bin/detect is an empty shell script
//
// Each figure is the median of RUNS (default 41). Machines are noisy: quote the ratios. The aim is 1.35 for the start.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const runs = Math.max(30, Number(process.env.RUNS ?? 41))
/** The detector refuses root; any other id will do. */
const user = process.getuid?.() === 0 ? { uid: 61234, gid: 61234 } : {}

const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-start-'))
try {
  chmodSync(folder, 0o755)
  execFileSync(process.execPath, [join(top, 'builders/package/start.mjs'), join(folder, 'dist')], {
    stdio: 'ignore',
  })
  const ending = process.arch === 'x64' ? 'x86-64.tgz' : 'arm64.tgz'
  const archive = readdirSync(join(folder, 'dist')).find((name) => name.endsWith(ending))
  execFileSync('tar', ['-xzf', join(folder, 'dist', archive), '-C', folder])
  const lifecycle = join(folder, 'lifecycle')
  const detector = join(lifecycle, 'detector')
  const cases = {
    '`node -e 0`': [join(top, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node'), '-e', '0'],
    '`detector -version`': [detector, '-version'],
    '`detector`, one empty buildpack': [detector, ...place(folder)],
  }
  const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]))
  for (let run = 0; run < runs; run++)
    for (const [name, command] of Object.entries(cases)) times[name].push(timed(command))

  const floor = median(Object.values(times)[0])
  console.log(`| start of the packaged lifecycle | median of ${runs} | × \`node -e 0\` |\n|---|---|---|`)
  for (const [name, values] of Object.entries(times)) {
    const value = median(values)
    console.log(`| ${name} | ${value.toFixed(1)} ms | ${(value / floor).toFixed(2)} |`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function timed([program, ...args]) {
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(program, args, {
    ...user,
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', CNB_PLATFORM_API: '0.15' },
  })
  if (status !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stdout}\n${stderr}`)
  return performance.now() - start
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
}

/** A builder and an app with one buildpack that passes; gives the flags that name them. */
function place(parent) {
  const at = (...parts) => join(parent, 'place', ...parts)
  const buildpack = at('buildpacks', 'bench', '1.0.0')
  for (const path of [at('app'), at('layers'), at('platform'), join(buildpack, 'bin')])
    mkdirSync(path, { recursive: true })
  for (const path of [at('app'), at('layers')]) chmodSync(path, 0o777)
  const descriptor = 'api = "0.12"\n[buildpack]\nid = "bench"\nversion = "1.0.0"\n[[targets]]\nos = "linux"\n'
  writeFileSync(join(buildpack, 'buildpack.toml'), descriptor)
  writeFileSync(join(buildpack, 'bin', 'detect'), '#!/bin/sh\n', { mode: 0o755 })
  writeFileSync(at('order.toml'), '[[order]]\n[[order.group]]\nid = "bench"\nversion = "1.0.0"\n')
  return [
    ...['-app', at('app'), '-layers', at('layers'), '-platform', at('platform')],
    ...['-buildpacks', at('buildpacks'), '-order', at('order.toml')],
  ]
}
