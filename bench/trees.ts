import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What a tree is made of. The same numbers give the same bytes on every machine. */
export interface TreeShape {
  readonly seed: number
  readonly files: number
  readonly bytes: number
  /** Every second run of files is noise, which nothing packs. */
  readonly noise?: boolean
}

/** Deterministic inputs of the cases: apps, and the layers that the buildpack moves into place. */
export const TREES = {
  /** T1 */
  small: { seed: 1, files: 20_000, bytes: 150e6 },
  /** T2 */
  large: { seed: 2, files: 2_000, bytes: 500e6, noise: true },
  /** An app beside whose dependencies nothing counts. */
  little: { seed: 3, files: 700, bytes: 5e6 },
  deps: { seed: 4, files: 20_000, bytes: 150e6 },
  modules: { seed: 5, files: 5_000, bytes: 40e6 },
  tools: { seed: 6, files: 3_000, bytes: 25e6 },
  // The curve: one kind of app in four sizes.
  'times-1': { seed: 7, files: 2_500, bytes: 20e6 },
  'times-2': { seed: 7, files: 5_000, bytes: 40e6 },
  'times-4': { seed: 7, files: 10_000, bytes: 80e6 },
  'times-8': { seed: 7, files: 20_000, bytes: 160e6 },
} as const satisfies Readonly<Record<string, TreeShape>>

export type TreeName = keyof typeof TREES

/** The sizes of npm's own node_modules (1,509 files), one out of each sixteenth, in relation to each other. */
const SIXTEENTHS = [7, 40, 83, 122, 140, 181, 208, 250, 302, 382, 504, 686, 958, 1431, 2332, 6514]
const SUM = SIXTEENTHS.reduce((sum, size) => sum + size, 0)
/** Takes the sixteenths out of their order without leaving one out. */
const STRIDE = 7

/** xorshift32: integers only, so no machine rounds otherwise. */
function randomNumbers(seed: number): () => number {
  let state = (seed * 0x9e3779b9) >>> 0 || 1
  return () => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state = (state ^ (state << 5)) >>> 0
    return state
  }
}

type Random = () => number

function pick<T>(items: readonly T[], at: number): T {
  return items[at % items.length] as T
}

function words(random: Random): string[] {
  const syllables = 'an be co de er fi ge hu in jo ka le mo nu or pe ra se ti un ve wa'.split(' ')
  const word = () => Array.from({ length: 2 + (random() % 3) }, () => pick(syllables, random())).join('')
  return Array.from({ length: 8_000 }, word)
}

/** Lines of code of made-up words, a few of them common: gzip -1 packs it 4 to 6 times. */
function text(size: number, random: Random, vocabulary: readonly string[]): Buffer {
  const own = Array.from({ length: 20 }, () => pick(vocabulary, random()))
  const name = () => (random() % 2 === 0 ? pick(own, random()) : pick(vocabulary, (random() % 90) ** 2))
  const lines: string[] = []
  for (let length = 0; length < size; ) {
    const line =
      random() % 3 === 0 && lines.length > 0
        ? pick(lines, random())
        : `  const ${name()} = ${name()}.${name()}(${name()}, ${random() % 100_000}) // ${name()} ${name()}\n`
    lines.push(line)
    length += line.length
  }
  return Buffer.from(lines.join(''), 'latin1').subarray(0, size)
}

function noise(size: number, random: Random): Buffer {
  const bytes = Buffer.alloc(size + 4)
  for (let at = 0; at < size; at += 4) bytes.writeUInt32LE(random(), at)
  return bytes.subarray(0, size)
}

/** Writes a tree below a directory. */
export function makeTree(tree: TreeName, directory: string): void {
  const shape: TreeShape = TREES[tree]
  const random = randomNumbers(shape.seed)
  const vocabulary = words(random)
  const made = new Set<string>()
  for (let index = 0; index < shape.files; index++) {
    const share = pick(SIXTEENTHS, index * STRIDE) / SUM
    const size = Math.max(16, Math.round((shape.bytes / shape.files) * SIXTEENTHS.length * share))
    const isNoise = shape.noise === true && Math.floor(index / SIXTEENTHS.length) % 2 === 0
    const name = `package-${Math.floor(index / 80)}/lib/part-${Math.floor(index / 10) % 8}/file-${index}`
    const path = join(directory, `${name}.${isNoise ? 'bin' : 'js'}`)
    if (!made.has(dirname(path))) mkdirSync(dirname(path), { recursive: true })
    made.add(dirname(path))
    writeFileSync(path, isNoise ? noise(size, random) : text(size, random, vocabulary))
  }
}

/** Overwrites the beginning of one file, as an editor would that changes a line; its size stays. */
export function editTree(directory: string, edition: number): void {
  const file = openSync(join(directory, 'package-4/lib/part-0/file-327.js'), 'r+')
  try {
    writeSync(file, `// edition ${String(edition).padStart(8, '0')}\n`, 0, 'latin1')
  } finally {
    closeSync(file)
  }
}
