// The import rule of the rooms: an import goes only to rooms named here, a buildpack imports only the SDK.
// Prints each violation and exits 1. ARCHITECTURE.md says why.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = resolve(dirname(fileURLToPath(import.meta.url)), '..')

export const ROOMS = {
  core: [],
  spec: ['core'],
  oci: ['core'],
  sources: ['core'],
  native: [],
  lifecycle: ['core', 'spec', 'oci', 'native'],
  buildpacks: ['core', 'spec', 'sources', 'native'],
  builders: ['core', 'spec', 'oci', 'sources'],
  platform: ['core', 'spec', 'oci', 'sources', 'native', 'lifecycle', 'buildpacks', 'builders'],
}

const IMPORT =
  /(?:^|\s)(?:import|export)\s[^'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)import\s+['"]([^'"]+)['"]/g

/** Imports of a room's file that the rule forbids. */
export function violations(file, text) {
  const room = file.split(sep)[0]
  const found = []
  // A test may use any room's test support: what crosses rooms for real is in test/.
  const test = /\.test\.ts$/.test(file) || file.includes(`${sep}testing${sep}`)
  for (const [, a, b, c] of text.matchAll(IMPORT)) {
    const specifier = a ?? b ?? c
    if (!specifier.startsWith('.')) continue
    const target = relative(top, resolve(top, dirname(file), specifier))
    const [targetRoom, second] = target.split(sep)
    if (test && targetRoom === 'test') continue
    if (targetRoom === room) {
      const [, own] = file.split(sep)
      if (room === 'buildpacks' && own !== 'sdk' && second !== 'sdk' && second !== own) found.push(specifier)
    } else if (!(ROOMS[room] ?? []).includes(targetRoom)) found.push(specifier)
    else if (room === 'buildpacks' && file.split(sep)[1] !== 'sdk' && !test && targetRoom !== 'native')
      found.push(specifier)
  }
  return found
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let bad = 0
  for (const room of Object.keys(ROOMS).filter((name) => existsSync(join(top, name)))) {
    for (const entry of readdirSync(join(top, room), { withFileTypes: true, recursive: true })) {
      if (!entry.isFile() || !/\.(ts|mjs)$/.test(entry.name)) continue
      const file = relative(top, join(entry.parentPath ?? entry.path, entry.name))
      for (const specifier of violations(file, readFileSync(join(top, file), 'utf8'))) {
        bad++
        console.log(`${file}: ${room}/ must not import ${specifier} (test/rooms.mjs)`)
      }
    }
  }
  if (bad > 0) process.exit(1)
}
