import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import { mountedRoot, processRoot } from '../../core/root.ts'
import { isSameState, isUntouched, settledState } from './tree-state.ts'

const LAYER = containerPath('/layers/test_node/deps')

/** A layer of a few entries; `at` gives a path of it. */
function layer() {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-tree-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const root = mountedRoot(directory, [])
  const at = (name: string) => join(directory, LAYER, name)
  mkdirSync(at('bin'), { recursive: true })
  mkdirSync(at('empty'))
  writeFileSync(at('bin/tool'), 'aaaa')
  writeFileSync(at('bin/other'), 'bbbb')
  symlinkSync('tool', at('bin/link'))
  return { root, at, directory }
}

async function stateOf({ root }: ReturnType<typeof layer>) {
  const state = await settledState(root, LAYER)
  if (state === undefined) throw new Error('this machine keeps temporary files on an unknown file system')
  return state
}

/** Writes other bytes of the same length and puts the time of change back where it was. */
function rewriteUnseen(path: string, write: () => void): void {
  const { atime, mtime } = lstatSync(path)
  write()
  utimesSync(path, atime, mtime)
}

type Layer = ReturnType<typeof layer>

test('reading, listing and waiting change nothing', async () => {
  const made = layer()
  const state = await stateOf(made)
  readFileSync(made.at('bin/tool'))
  expect(isUntouched(made.root, LAYER, state)).toBe(true)
  expect(await stateOf(made)).toMatchObject({ shape: state.shape, identity: state.identity })
})

test('a tree that moves as a whole is the same tree', async () => {
  const made = layer()
  const state = await stateOf(made)
  const layers = join(made.directory, 'layers')
  renameSync(layers, `${layers}-kept`)
  renameSync(`${layers}-kept`, layers)
  expect(isUntouched(made.root, LAYER, state)).toBe(true)
})

const tricks: [string, (made: Layer) => void][] = [
  [
    'bytes rewritten with the same size and time',
    ({ at }) => rewriteUnseen(at('bin/tool'), () => writeFileSync(at('bin/tool'), 'AAAA')),
  ],
  [
    'bytes rewritten in place through an open file',
    ({ at }) =>
      rewriteUnseen(at('bin/tool'), () => {
        const fd = openSync(at('bin/tool'), 'r+')
        writeSync(fd, 'A', 0)
        closeSync(fd)
      }),
  ],
  [
    'bytes rewritten through a hard link outside of the tree',
    ({ at, directory }) => {
      linkSync(at('bin/tool'), join(directory, 'outside'))
      rewriteUnseen(at('bin/tool'), () => writeFileSync(join(directory, 'outside'), 'AAAA'))
      rmSync(join(directory, 'outside'))
    },
  ],
  [
    'two files of one size that changed names',
    ({ at }) => {
      renameSync(at('bin/tool'), at('bin/swap'))
      renameSync(at('bin/other'), at('bin/tool'))
      renameSync(at('bin/swap'), at('bin/other'))
    },
  ],
  [
    'a file replaced by another of the same size and time',
    ({ at, directory }) => {
      const { atime, mtime } = lstatSync(at('bin/tool'))
      writeFileSync(join(directory, 'new'), 'AAAA')
      utimesSync(join(directory, 'new'), atime, mtime)
      renameSync(join(directory, 'new'), at('bin/tool'))
    },
  ],
  ['another mode', ({ at }) => chmodSync(at('bin/tool'), 0o755)],
  ['another mode of a directory', ({ at }) => chmodSync(at('empty'), 0o700)],
  ['another mode of the layer itself', ({ at }) => chmodSync(at('.'), 0o700)],
  ['a time set back', ({ at }) => utimesSync(at('bin/tool'), 1, 1)],
  ['a new file', ({ at }) => writeFileSync(at('empty/new'), '')],
  ['a new directory', ({ at }) => mkdirSync(at('empty/new'))],
  ['a removed file', ({ at }) => rmSync(at('bin/other'))],
  ['a removed directory', ({ at }) => rmSync(at('empty'), { recursive: true })],
  [
    'a link with another target of the same length',
    ({ at }) => {
      rmSync(at('bin/link'))
      symlinkSync('looo', at('bin/link'))
    },
  ],
  [
    'a file that became a link',
    ({ at }) => {
      rmSync(at('bin/other'))
      symlinkSync('tool', at('bin/other'))
    },
  ],
  [
    'the same files made anew',
    ({ at, directory }) => {
      renameSync(at('bin'), join(directory, 'old'))
      mkdirSync(at('bin'))
      writeFileSync(at('bin/tool'), 'aaaa')
      writeFileSync(at('bin/other'), 'bbbb')
      symlinkSync('tool', at('bin/link'))
    },
  ],
  [
    'a layer that is a link to where it was',
    ({ at, directory }) => {
      renameSync(at('.'), join(directory, 'elsewhere'))
      symlinkSync(join(directory, 'elsewhere'), at(''))
    },
  ],
  ['a layer that is gone', ({ at }) => rmSync(at('.'), { recursive: true })],
]

test.each(tricks)('%s is seen, also in the same tick of the clock', async (_, trick) => {
  for (let round = 0; round < 3; round++) {
    const made = layer()
    const state = await stateOf(made)
    trick(made)
    expect(isUntouched(made.root, LAYER, state)).toBe(false)
    const now = await settledState(made.root, LAYER)
    expect(now !== undefined && isSameState(state, now)).toBe(false)
  }
})

test('every entry is older than the state, so that a later change cannot have the same time', async () => {
  const made = layer()
  const { time } = await stateOf(made)
  for (const name of ['bin/tool', 'bin/other', 'bin/link'])
    expect(lstatSync(made.at(name), { bigint: true }).ctimeNs).toBeLessThan(time)
})

test('a state from the future is worth nothing: the clock went back', async () => {
  const made = layer()
  const state = await stateOf(made)
  const later = { ...state, time: state.time + 60_000_000_000n }
  expect(isUntouched(made.root, LAYER, later)).toBe(false)
  expect(isSameState(state, state)).toBe(true)
  expect(isSameState(later, state)).toBe(false)
})

test.skipIf(process.getuid?.() === 0)(
  "a directory of another user has a state too (no directory is another user's for root)",
  async () => {
    const directory = containerPath('/etc/init.d')
    const state = await settledState(processRoot(), directory)
    if (state === undefined) throw new Error('nothing is known of the directory')
    expect(isUntouched(processRoot(), directory, state)).toBe(true)
  },
)

test('nothing is said of what is no directory', async () => {
  const made = layer()
  expect(await settledState(made.root, containerPath(`${LAYER}/bin/tool`))).toBeUndefined()
  expect(await settledState(made.root, containerPath(`${LAYER}/nowhere`))).toBeUndefined()
})

test('nothing is said of a file system that is not known to be sound', async () => {
  expect(await settledState(processRoot(), containerPath('/proc/self/task'))).toBeUndefined()
})

test('the shape is that of another tree with the same names, modes and sizes', async () => {
  const [one, other] = [await stateOf(layer()), await stateOf(layer())]
  expect(one.shape).toBe(other.shape)
  expect(one.identity).not.toBe(other.identity)
})
