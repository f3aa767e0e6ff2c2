import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { Measured } from './measure.ts'

/**
 * What the machine itself needs for a cold export of a tree: the CPU of GNU tar, of pigz -1, and of openssl's sha256 over
 * what both made, summed and divided by the cores. As `wall`, for it is compared with times.
 */
export function floorOf(tree: string, folder: string): Measured {
  const script = `
    TIMEFORMAT='%U %S'; set -eo pipefail
    { time tar -cf - -C "$1" . ; } 2>"$2/tar.cpu" | cat >"$2/floor.tar"
    { time openssl sha256 "$2/floor.tar" >&2 ; } 2>"$2/hash.cpu"
    { time pigz -1 -c "$2/floor.tar" ; } 2>"$2/pigz.cpu" >"$2/floor.gz"
    { time openssl sha256 "$2/floor.gz" >&2 ; } 2>"$2/hash-gz.cpu"
    rm "$2/floor.tar" "$2/floor.gz"; tail -qn1 "$2/tar.cpu" "$2/hash.cpu" "$2/pigz.cpu" "$2/hash-gz.cpu"`
  const text = execFileSync('bash', ['-c', script, 'bash', tree, join(folder)], { encoding: 'utf8' })
  const cpu = text
    .trim()
    .split(/\s+/)
    .reduce((total, part) => total + Number(part), 0)
  const nothing = { peak: 0, read: 0, written: 0, requests: 0, others: 0, output: '' }
  return { ...nothing, cpu, wall: cpu / cpus().length }
}
