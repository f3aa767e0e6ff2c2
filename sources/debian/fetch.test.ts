import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { EventBody } from '../../core/event.ts'
import { createHttpClient, type HttpClient } from '../../core/http/index.ts'
import { fetchPackages } from './fetch.ts'
import type { PackageRecord } from './packages.ts'
import { type Mirror, makeSigningKey, startMirror } from './testing/mirror.ts'

const CONTENTS = new Map([
  ['small', Buffer.from('small')],
  ['large', Buffer.alloc(3_000_000, 'large')],
  ['other', Buffer.alloc(700_000, 'other')],
])

let mirror: Mirror
let http: HttpClient
let directory: string
let events: EventBody[]
let round = 0
let key: Awaited<ReturnType<typeof makeSigningKey>>

beforeAll(async () => {
  key = await makeSigningKey()
})
beforeEach(async () => {
  const packages = [...CONTENTS].map(([name, deb]) => ({ name, version: '1', deb }))
  mirror = await startMirror(key, [{ suite: 'x', packages }])
  http = createHttpClient({})
  directory = mkdtempSync(join(tmpdir(), 'fetch-'))
  events = []
})
afterEach(async () => {
  await http.close()
  await mirror[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const records = [...CONTENTS].map(
  ([name, deb]): PackageRecord => ({
    name,
    version: '1',
    architecture: 'all',
    archive: 'main',
    filename: `pool/${name}_1.deb`,
    size: deb.length,
    sha256: createHash('sha256').update(deb).digest('hex'),
    priority: '',
    depends: '',
    preDepends: '',
    conflicts: '',
    breaks: '',
    provides: '',
  }),
)

function fetchAll(signal?: AbortSignal) {
  const workDirectory = join(directory, `work-${round++}`)
  mkdirSync(workDirectory)
  const access = { http, ...(signal === undefined ? {} : { signal }) }
  return fetchPackages(access, [{ name: 'main', uri: mirror.uri }], records, {
    directory: join(directory, 'kept'),
    workDirectory,
    emit: (event) => events.push(event),
    task: 'download',
    concurrency: 2,
  })
}

const kept = () => (existsSync(join(directory, 'kept')) ? readdirSync(join(directory, 'kept')).sort() : [])
const debsAsked = () => mirror.requests.filter((path) => path.endsWith('.deb'))

test('brings all packages, verified and named by digest, and tells its progress', async () => {
  const fetched = await fetchAll()
  expect(
    fetched.map(({ record, path }) => [
      record.name,
      readFileSync(path).equals(CONTENTS.get(record.name) ?? Buffer.alloc(0)),
    ]),
  ).toEqual([...CONTENTS.keys()].map((name) => [name, true]))
  expect(kept()).toEqual(records.map(({ sha256 }) => `${sha256}.deb`).sort())
  const total = 3_700_005
  const done = events.map((event) => (event.type === 'task-progress' ? event.done : Number.NaN))
  expect(done).toEqual([...done].sort((a, b) => a - b))
  expect(events.at(-1)).toEqual({
    type: 'task-progress',
    task: 'download',
    done: total,
    total,
    unit: 'bytes',
  })
})

test('what is there is verified and not fetched again', async () => {
  await fetchAll()
  const [first = ''] = kept()
  writeFileSync(join(directory, 'kept', first), 'damaged')
  mirror.requests.length = 0
  await fetchAll()
  expect(debsAsked().length).toBe(1)
  expect(
    createHash('sha256')
      .update(readFileSync(join(directory, 'kept', first)))
      .digest('hex'),
  ).toBe(first.slice(0, 64))
})

test('packages stay while they are used, though another process empties the folder', async () => {
  const fetched = await fetchAll()
  rmSync(join(directory, 'kept'), { recursive: true })
  for (const { path, record } of fetched) expect(readFileSync(path).length).toBe(record.size)
})

test.each([
  ['other bytes', (bytes: Buffer) => Buffer.alloc(bytes.length, 'x')],
  ['more bytes', (bytes: Buffer) => Buffer.concat([bytes, bytes])],
  ['fewer bytes', (bytes: Buffer) => bytes.subarray(0, 10)],
])('%s than the index says end everything, and nothing stays under the package’s name', async (_, change) => {
  mirror.files.set('pool/other_1.deb', change(CONTENTS.get('other') ?? Buffer.alloc(0)))
  await expect(fetchAll()).rejects.toMatchObject({
    code: 'SOURCE_DEBIAN_DIGEST_WRONG',
    subject: `${mirror.uri}pool/other_1.deb`,
  })
  const wrong = records.find(({ name }) => name === 'other')?.sha256
  expect(kept().filter((name) => name.includes(wrong ?? ''))).toEqual([])
  const left = readdirSync(directory, { recursive: true }).filter((name) => String(name).endsWith('.tmp'))
  expect(left).toEqual([])
})

test('a connection that breaks in the middle is tried again', async () => {
  let broken = 0
  mirror.intercept = (request, response) => {
    if (!request.url?.includes('large') || broken++ > 0) return false
    response.writeHead(200, { 'content-length': 3_000_000 })
    response.write(Buffer.alloc(1_000_000), () => response.destroy())
    return true
  }
  expect((await fetchAll()).length).toBe(3)
  expect(broken).toBe(2)
})

test('a package that the mirror does not have is told with its address', async () => {
  mirror.files.delete('pool/large_1.deb')
  await expect(fetchAll()).rejects.toMatchObject({
    code: 'HTTP_STATUS',
    subject: `${mirror.uri}pool/large_1.deb`,
  })
})

test('stops when it is told to', async () => {
  const stop = new AbortController()
  mirror.intercept = (_, response) => {
    response.writeHead(200, { 'content-length': 3_000_000 })
    response.write(Buffer.alloc(1000), () => stop.abort())
    return true
  }
  await expect(fetchAll(stop.signal)).rejects.toThrow()
})
