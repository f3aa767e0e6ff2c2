import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../testing/temporary.ts'
import { createLeases, type Leases } from './leases.ts'

/** Quick enough for a test; whoever waits longer than a test may take waits for ever. */
const TIMES = { beat: 20, expiry: 300, patience: 60_000 }

/** Something that is done once: whoever wants it looks for it first. */
function job() {
  const state = { done: false, begun: 0, atOnce: 0, most: 0 }
  const gate = Promise.withResolvers<void>()
  const begins = Array.from({ length: 3 }, () => Promise.withResolvers<void>())
  const find = async () => (state.done ? 'found' : undefined)
  const work = async () => {
    begins[state.begun++]?.resolve()
    state.most = Math.max(state.most, ++state.atOnce)
    await gate.promise
    state.atOnce--
    state.done = true
    return 'made'
  }
  /** Settles when somebody has begun to work, or so many. */
  const begun = (count = 1) => begins[count - 1]?.promise
  return { state, find, work, begun, finish: gate.resolve }
}

/** A process of its own that holds a lease until it is ended. */
async function holder(directory: string, key: string): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('testing/hold.ts', import.meta.url))
  const child = spawn(process.execPath, [program, directory, key], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

const sameProcess = (): readonly Leases[] => Array<Leases>(3).fill(createLeases())
/** As several processes: nothing but the folder is between them. */
const among = (directory: string) => Array.from({ length: 3 }, () => createLeases(directory, TIMES))

describe.each([
  ['in one process', sameProcess],
  ['over a folder', () => among(temporaryDirectory())],
  ['over a folder, each twice', () => among(temporaryDirectory()).flatMap((leases) => [leases, leases])],
])('%s', (_, make) => {
  test('one works, the others find what it made', async () => {
    const { state, find, work, begun, finish } = job()
    const all = make().map((leases) => leases.once('key', find, work))
    await begun()
    finish()
    expect((await Promise.all(all)).toSorted()).toEqual([...all.slice(1).map(() => 'found'), 'made'])
    expect(state.begun).toBe(1)
  })

  test('one that fails is not the failure of the others: the next one works', async () => {
    let begun = 0
    let done = false
    const work = async () => {
      if (++begun === 1) throw new Error('only mine')
      done = true
      return 'made'
    }
    const all = await Promise.allSettled(
      make().map((leases) => leases.once('key', async () => (done ? 'found' : undefined), work)),
    )
    expect(begun).toBe(2)
    expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(1)
  })

  test('different keys do not wait for each other', async () => {
    const one = job()
    const other = job()
    const [first, second] = make()
    const waiting = first?.once('one', one.find, one.work)
    other.finish()
    expect(await second?.once('other', other.find, other.work)).toBe('made')
    one.finish()
    expect(await waiting).toBe('made')
  })

  test('a finder hears whether it waited', async () => {
    const heard: boolean[] = []
    const { find, work, begun, finish } = job()
    const listen = (waited: boolean) => {
      heard.push(waited)
      return find()
    }
    const [first, second] = make()
    const all = [first?.once('key', listen, work)]
    await begun()
    all.push(second?.once('key', listen, work))
    finish()
    await Promise.all(all)
    expect([heard[0], heard.at(-1)]).toEqual([false, true])
  })
})

const folders: readonly [string, () => string][] = [
  ['the temporary folder', () => temporaryDirectory()],
  [
    'a file system in memory',
    () => {
      const path = mkdtempSync('/dev/shm/slipway-leases-')
      onTestFinished(() => rmSync(path, { recursive: true, force: true }))
      return path
    },
  ],
]

describe.each(folders)('processes that end, in %s', (_, folder) => {
  test('a killed holder holds nobody up for longer than a lease lasts, and of those who waited one works', async () => {
    const directory = folder()
    const child = await holder(directory, 'key')
    const { state, find, work, begun, finish } = job()
    const all = among(directory).map((leases) => leases.once('key', find, work))
    // It shows a sign of life only every two seconds, so a waiter of this test would take it for dead: keep it up.
    const [name] = readdirSync(directory)
    const beat = setInterval(() => utimesSync(join(directory, name ?? ''), new Date(), new Date()), 20)
    await new Promise((resolve) => setTimeout(resolve, 2 * TIMES.expiry))
    expect(state.begun).toBe(0)
    clearInterval(beat)
    child.kill('SIGKILL')
    await begun()
    finish()
    expect((await Promise.all(all)).toSorted()).toEqual(['found', 'found', 'made'])
    expect(state.begun).toBe(1)
    expect(readdirSync(directory)).toEqual([])
  })

  test('one that is asked to end gives back what it holds', async () => {
    const directory = folder()
    const child = await holder(directory, 'key')
    expect(readdirSync(directory)).toHaveLength(1)
    child.kill('SIGTERM')
    await once(child, 'exit')
    expect(readdirSync(directory)).toEqual([])
  })
})

test('what nobody wanted for a day is removed', async () => {
  const directory = temporaryDirectory()
  for (const [name, age] of [
    ['dead', 25],
    ['recent', 23],
  ] as const) {
    writeFileSync(join(directory, name), '')
    const time = Date.now() / 1000 - age * 3600
    utimesSync(join(directory, name), time, time)
  }
  const { find, work, finish } = job()
  finish()
  await createLeases(directory, TIMES).once('key', find, work)
  expect(readdirSync(directory)).toEqual(['recent'])
})

test('what it is about can be read, and is gone in the end', async () => {
  const directory = temporaryDirectory()
  const leases = createLeases(join(directory, 'made/when/needed'), TIMES)
  const text = await leases.once(
    'upload of sha256:12 to r.example',
    async () => undefined,
    async () => {
      const [name = ''] = readdirSync(join(directory, 'made/when/needed'))
      return readFileSync(join(directory, 'made/when/needed', name), 'utf8')
    },
  )
  expect(text).toMatch(/^[0-9a-f]{16} upload of sha256:12 to r\.example\n$/)
  expect(readdirSync(join(directory, 'made/when/needed'))).toEqual([])
})

/** A lease of somebody whose signs of life the test gives. */
async function strangersLease(directory: string): Promise<string> {
  let name = ''
  await createLeases(directory, TIMES).once(
    'key',
    async () => undefined,
    async () => {
      name = readdirSync(directory)[0] ?? ''
    },
  )
  writeFileSync(join(directory, name), '0123456789abcdef key\n')
  return join(directory, name)
}

test.each([
  ['a year behind', -1],
  ['a year ahead', 1],
])(
  'a holder whose clock is %s is alive while it shows signs of life, and dead after that',
  async (_, sign) => {
    const directory = temporaryDirectory()
    const path = await strangersLease(directory)
    let time = Date.now() / 1000 + sign * 365 * 86_400
    const beat = setInterval(() => {
      // And its clock jumps back and forth.
      time += time % 2 < 1 ? 3600.5 : -3599
      utimesSync(path, time, time)
    }, 20)
    const { state, find, work, begun, finish } = job()
    const waiting = createLeases(directory, TIMES).once('key', find, work)
    await new Promise((resolve) => setTimeout(resolve, 2 * TIMES.expiry))
    expect(state.begun).toBe(0)
    clearInterval(beat)
    await begun()
    finish()
    expect(await waiting).toBe('made')
  },
)

test('a holder that was taken for dead and comes back leaves the lease to the next', async () => {
  const directory = temporaryDirectory()
  const slow = job()
  const next = job()
  // Shows no sign of life in this test's time.
  const [first, second] = [
    createLeases(directory, { ...TIMES, beat: 60_000 }),
    createLeases(directory, TIMES),
  ]
  const waiting = first.once('key', slow.find, slow.work)
  const other = second.once('key', next.find, next.work)
  await next.begun()
  slow.finish()
  expect(await waiting).toBe('made')
  expect(readdirSync(directory)).toHaveLength(1)
  next.finish()
  expect(await other).toBe('made')
  expect(readdirSync(directory)).toEqual([])
})

test('what stands in the place of a lease and is none holds nobody up', async () => {
  const directory = temporaryDirectory()
  const path = await strangersLease(directory)
  rmSync(path)
  mkdirSync(path)
  const { find, work, finish } = job()
  finish()
  expect(await createLeases(directory, { ...TIMES, expiry: 60_000 }).once('key', find, work)).toBe('made')
})

test('nobody waits for ever for one that lives and does not end', async () => {
  const directory = temporaryDirectory()
  const endless = job()
  const { find, work, finish } = job()
  const first = createLeases(directory, TIMES).once('key', endless.find, endless.work)
  finish()
  expect(await createLeases(directory, { ...TIMES, patience: 100 }).once('key', find, work)).toBe('made')
  endless.finish()
  await first
})

test('a folder that cannot be written to costs only the waiting for others', async () => {
  const file = join(temporaryDirectory(), 'file')
  writeFileSync(file, '')
  const { find, work, begun, finish } = job()
  const all = among(join(file, 'leases')).map((leases) => leases.once('key', find, work))
  await begun(3)
  finish()
  expect(await Promise.all(all)).toEqual(['made', 'made', 'made'])
})

test.skipIf(process.getuid?.() === 0)(
  'a folder that is read-only costs only the waiting for others (root may write everywhere)',
  async () => {
    const directory = temporaryDirectory()
    chmodSync(directory, 0o555)
    const { find, work, finish } = job()
    finish()
    expect(await createLeases(directory, TIMES).once('key', find, work)).toBe('made')
    expect(readdirSync(directory)).toEqual([])
  },
)
