import { readFileSync } from 'node:fs'
import { writeFileAtomically } from '../../core/atomic-file.ts'
import { type ContainerPath, containerPath } from '../../core/container-path.ts'
import { hostBytes } from '../../core/root.ts'
import { type Digest, isDigest } from '../../oci/digest.ts'
import { RECORDS_FILE } from './layout.ts'
import type { TreeState } from './tree-state.ts'

/** That a layer's directory, in the state it was in, makes the tar with this digest. */
export interface LayerRecord {
  readonly diffId: Digest
  /** Uncompressed bytes. */
  readonly size: number
  /** Whom the tar's entries belong to; another owner makes another tar. */
  readonly owner: string
  readonly state: TreeState
}

/** By the layer's directory. */
export type LayerRecords = ReadonlyMap<ContainerPath, LayerRecord>

const FORMAT = 1

/**
 * What is known of the layers on disk, kept between phases and builds. An export writes it, which has read the layers;
 * a restore brings it up to date for what it unpacks, whose bytes it has checked. A record is only ever a claim about a
 * state: where the directory is in any other, it says nothing.
 */
export function readRecords(committed: string): LayerRecords {
  try {
    const file: unknown = JSON.parse(readFileSync(hostBytes(`${committed}/${RECORDS_FILE}`), 'utf8'))
    if (!isObject(file) || file.format !== FORMAT || !isObject(file.layers)) return new Map()
    return new Map(Object.entries(file.layers).flatMap(([path, value]) => parseRecord(path, value)))
  } catch {
    // Missing or broken: nothing is known.
    return new Map()
  }
}

export function writeRecords(committed: string, records: LayerRecords): void {
  const layers = [...records].map(([path, { state, ...record }]) => [
    path,
    { ...record, ...state, time: String(state.time) },
  ])
  writeFileAtomically(
    `${committed}/${RECORDS_FILE}`,
    `${JSON.stringify({ format: FORMAT, layers: Object.fromEntries(layers) })}\n`,
  )
}

function parseRecord(path: string, value: unknown): [ContainerPath, LayerRecord][] {
  if (!isObject(value)) return []
  const { diffId, size, owner, shape, identity, time } = value
  if (typeof diffId !== 'string' || !isDigest(diffId) || !Number.isSafeInteger(size)) return []
  if (typeof owner !== 'string' || typeof shape !== 'string' || typeof identity !== 'string') return []
  if (typeof time !== 'string' || !/^\d+$/.test(time)) return []
  const state = { shape, identity, time: BigInt(time) }
  return [[containerPath(path), { diffId, size: size as number, owner, state }]]
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
