// Deterministic inputs of the benchmarks: the same bytes on every machine.
//
//   small (T1): 20,000 files, 150 MB, sizes skewed as in node_modules, text that gzip -1 packs about 4 : 1
//   large (T2): 2,000 files, 500 MB, half of it incompressible
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const TREES = {
  small: { seed: 1, files: 20_000, bytes: 150e6, incompressible: 0 },
  large: { seed: 2, files: 2_000, bytes: 500e6, incompressible: 2 },
}

/** How large the files of a package are, in relation: many small ones, few large. */
const WEIGHTS = [1, 1, 2, 2, 3, 4, 5, 6, 8, 10, 13, 17, 24, 36, 60, 128]
const WEIGHT = WEIGHTS.reduce((sum, weight) => sum + weight, 0) / WEIGHTS.length

/** xorshift32: integers only, so no machine rounds otherwise. */
function randomNumbers(seed) {
  let state = (seed * 0x9e3779b9) >>> 0 || 1
  return () => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state = (state ^ (state << 5)) >>> 0
    return state
  }
}

function words(random) {
  const syllables = 'an be co de er fi ge hu in jo ka le mo nu or pe ra se ti un ve wa'.split(' ')
  const word = () =>
    Array.from({ length: 2 + (random() % 3) }, () => syllables[random() % syllables.length]).join('')
  return Array.from({ length: 8_000 }, word)
}

/** Lines of code of made-up words, a few of them common. */
function text(size, random, vocabulary) {
  const own = Array.from({ length: 24 }, () => vocabulary[random() % vocabulary.length])
  const name = () =>
    random() % 2 === 0 ? own[random() % own.length] : vocabulary[(random() % 90) ** 2 % vocabulary.length]
  const lines = []
  for (let length = 0; length < size; ) {
    const line =
      random() % 4 === 0 && lines.length > 0
        ? lines[random() % lines.length]
        : `  const ${name()} = ${name()}.${name()}(${name()}, ${random() % 100_000}) // ${name()} ${name()}\n`
    lines.push(line)
    length += line.length
  }
  return Buffer.from(lines.join(''), 'latin1').subarray(0, size)
}

function noise(size, random) {
  const bytes = Buffer.alloc(size + 4)
  for (let at = 0; at < size; at += 4) bytes.writeUInt32LE(random(), at)
  return bytes.subarray(0, size)
}

/** Writes a tree of TREES below a directory; gives its bytes. */
export function makeTree(kind, directory) {
  const { seed, files, bytes, incompressible } = TREES[kind]
  const random = randomNumbers(seed)
  const vocabulary = words(random)
  const made = new Set()
  let total = 0
  for (let index = 0; index < files; index++) {
    const size = Math.max(16, Math.round(((bytes / files) * WEIGHTS[(index * 7) % 16]) / WEIGHT))
    const isNoise = incompressible > 0 && Math.floor(index / 16) % incompressible === 0
    const name = `package-${Math.floor(index / 80)}/lib/part-${Math.floor(index / 10) % 8}/file-${index}`
    const path = join(directory, `${name}.${isNoise ? 'bin' : 'js'}`)
    if (!made.has(dirname(path))) mkdirSync(dirname(path), { recursive: true })
    made.add(dirname(path))
    writeFileSync(path, isNoise ? noise(size, random) : text(size, random, vocabulary))
    total += size
  }
  return total
}
