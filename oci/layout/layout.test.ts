import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { copyImage } from '../copy.ts'
import { type Digest, digestOf } from '../digest.ts'
import { type Image, MEDIA_TYPES } from '../image.ts'
import { readImage } from '../read-image.ts'
import { memoryRepository, randomImage, validateImage } from '../testing/index.ts'
import { collect, temporaryDirectory } from '../testing/temporary.ts'
import { indexFile } from './index-file.ts'
import { openLayout } from './layout.ts'

const HOUR = 3_600_000

function blobPath(directory: string, digest: Digest): string {
  return join(directory, 'blobs', 'sha256', digest.slice('sha256:'.length))
}

/** Makes every blob look unwanted for two hours. */
function age(directory: string): void {
  const then = new Date(Date.now() - 2 * HOUR)
  for (const name of readdirSync(join(directory, 'blobs', 'sha256'))) {
    utimesSync(join(directory, 'blobs', 'sha256', name), then, then)
  }
}

const source = (bytes: Uint8Array) => ({
  async *open() {
    yield bytes
  },
})

test('images are written, found by tag and digest, and are right', async () => {
  const directory = join(temporaryDirectory(), 'made', 'when needed')
  const layout = openLayout(directory)
  expect(layout.images()).toEqual([])
  const repository = layout.repository('r.example:5000/app/web')
  expect(await readImage(repository, 'latest')).toBeUndefined()
  expect(existsSync(directory)).toBe(false)

  const image = await randomImage({ repository, tags: ['latest', '1.0'] })
  await validateImage(image)
  for (const reference of ['latest', '1.0', image.digest]) {
    expect(
      (await readImage(openLayout(directory).repository('r.example:5000/app/web'), reference))?.digest,
    ).toBe(image.digest)
  }
  expect(layout.images().map(({ name, descriptor }) => [name, descriptor.digest])).toEqual([
    ['r.example:5000/app/web:latest', image.digest],
    ['r.example:5000/app/web:1.0', image.digest],
  ])
  expect(await readImage(layout.repository('r.example:5000/app'), 'latest')).toBeUndefined()
  expect((await readImage(layout.repository(''), 'r.example:5000/app/web:1.0'))?.digest).toBe(image.digest)
  expect(readFileSync(join(directory, 'oci-layout'), 'utf8')).toBe('{"imageLayoutVersion":"1.0.0"}')
})

test('a tag moves; the same image again changes nothing', async () => {
  const directory = temporaryDirectory()
  const repository = openLayout(directory).repository('app')
  await randomImage({ repository, seed: 1, tags: ['a', 'b'] })
  const second = await randomImage({ repository, seed: 2, tags: ['b'] })
  const before = readFileSync(join(directory, 'index.json'), 'utf8')
  const { mtimeNs } = statSync(join(directory, 'index.json'), { bigint: true })
  await copyImage(second, repository, ['b'])
  expect(statSync(join(directory, 'index.json'), { bigint: true }).mtimeNs).toBe(mtimeNs)
  expect(readFileSync(join(directory, 'index.json'), 'utf8')).toBe(before)
  expect((await readImage(repository, 'b'))?.digest).toBe(second.digest)
  expect(openLayout(directory).images()).toHaveLength(2)
})

describe('blobs', () => {
  test('that are there are not read again', async () => {
    const repository = openLayout(temporaryDirectory()).repository('app')
    const { digest } = await repository.putBlob(source(Buffer.from('hello')))
    const never = {
      digest,
      open: () => {
        throw new Error('read again')
      },
    }
    expect(await repository.putBlob(never)).toEqual({ digest, size: 5 })
  })

  test('of a wrong size or digest are not kept, nor what breaks off', async () => {
    const directory = temporaryDirectory()
    const repository = openLayout(directory).repository('app')
    const bytes = Buffer.from('hello')
    await expect(repository.putBlob({ ...source(bytes), digest: digestOf('other') })).rejects.toMatchObject({
      code: 'OCI_DIGEST_MISMATCH',
    })
    await expect(repository.putBlob({ ...source(bytes), size: 4 })).rejects.toMatchObject({
      code: 'OCI_DIGEST_MISMATCH',
    })
    const breaking = {
      async *open() {
        yield bytes
        throw new Error('broken')
      },
    }
    await expect(repository.putBlob(breaking)).rejects.toThrow('broken')
    expect(existsSync(join(directory, 'blobs'))).toBe(false)
    expect(readdirSync(join(directory, '.slipway', 'tmp'))).toEqual([])
  })

  test('that several fetch at once are fetched once', async () => {
    const directory = temporaryDirectory()
    const bytes = Buffer.alloc(1000, 'x')
    const [digest, gate] = [digestOf(bytes), Promise.withResolvers<void>()]
    let opened = 0
    const slow = {
      digest,
      async *open() {
        opened++
        await gate.promise
        yield bytes
      },
    }
    // Each as a process of its own, and two in one.
    const [first, second] = [openLayout(directory), openLayout(directory)]
    const all = [first, first, second].map((layout) => layout.repository('app').putBlob(slow))
    gate.resolve()
    expect(await Promise.all(all)).toEqual(Array(3).fill({ digest, size: 1000 }))
    expect(opened).toBe(1)
    expect(readdirSync(join(directory, '.slipway', 'leases'))).toEqual([])
  })

  test('that are damaged or gone are told', async () => {
    const directory = temporaryDirectory()
    const repository = openLayout(directory).repository('app')
    const { digest } = await repository.putBlob(source(Buffer.alloc(3 << 20)))
    const path = blobPath(directory, digest)
    for (const damage of [
      () => appendFileSync(path, 'x'),
      () => truncateSync(path, 5),
      () => truncateSync(path, 0),
    ]) {
      damage()
      await expect(collect(repository.openBlob(digest))).rejects.toMatchObject({
        code: 'OCI_DIGEST_MISMATCH',
      })
      await expect(collect(repository.openBlob(digest, 3 << 20))).rejects.toMatchObject({
        code: 'OCI_DIGEST_MISMATCH',
      })
    }
    rmSync(path)
    await expect(collect(repository.openBlob(digest))).rejects.toMatchObject({ code: 'OCI_BLOB_MISSING' })
    expect(await repository.blobSize(digest)).toBeUndefined()
  })

  test('are one pool for all names of a layout', async () => {
    const directory = temporaryDirectory()
    const [a, b] = ['a', 'b'].map((name) => openLayout(directory).repository(name))
    const stored = await a?.putBlob(source(Buffer.from('x')))
    const digest = stored?.digest as Digest
    expect(await b?.mountBlob(digest, a as never)).toBe(true)
    expect(await b?.mountBlob(digestOf('missing'), a as never)).toBe(false)
    expect(await b?.mountBlob(digest, memoryRepository())).toBe(false)
  })
})

test('a manifest that the index names but that is gone', async () => {
  const directory = temporaryDirectory()
  const repository = openLayout(directory).repository('app')
  const image = await randomImage({ repository })
  rmSync(blobPath(directory, image.digest))
  await expect(repository.getManifest('latest')).rejects.toMatchObject({ code: 'OCI_BLOB_MISSING' })
  expect(await repository.getManifest(digestOf('x'))).toBeUndefined()
})

describe('a download that broke off', () => {
  const bytes = randomBytes(3 << 20)
  const digest = digestOf(bytes)
  const CUT = 2 << 20

  /** Breaks at the cut as long as it is told to, and counts the bytes that it gave. */
  function remote() {
    const state = { breaks: true, given: 0, resumed: [] as number[] }
    async function* from(offset: number) {
      for (let at = offset; at < bytes.length; at += 1 << 16) {
        if (state.breaks && at >= CUT) throw new Error('the connection was lost')
        state.given += 1 << 16
        yield bytes.subarray(at, at + (1 << 16))
      }
    }
    const openFrom = (offset: number) => {
      state.resumed.push(offset)
      return from(offset)
    }
    return { state, blob: { digest, size: bytes.length, open: () => from(0), openFrom } }
  }
  const left = (directory: string) =>
    readdirSync(join(directory, '.slipway', 'tmp')).map((name) => join(directory, '.slipway', 'tmp', name))

  async function broken() {
    const directory = temporaryDirectory()
    const { state, blob } = remote()
    await expect(openLayout(directory).repository('app').putBlob(blob)).rejects.toThrow('connection was lost')
    state.breaks = false
    const repository = openLayout(directory).repository('app')
    return { directory, state, blob, repository }
  }

  test('goes on where it was, and all of it is verified', async () => {
    const { directory, state, blob, repository } = await broken()
    expect(await repository.putBlob(blob)).toEqual({ digest, size: bytes.length })
    expect([state.resumed, state.given]).toEqual([[CUT], bytes.length])
    expect((await collect(repository.openBlob(digest))).equals(bytes)).toBe(true)
    expect(left(directory)).toEqual([])
  })

  test('begins anew where what was left is not right', async () => {
    const { directory, state, blob, repository } = await broken()
    const [path = ''] = left(directory)
    writeFileSync(path, randomBytes(CUT))
    expect(await repository.putBlob(blob)).toEqual({ digest, size: bytes.length })
    expect(state.given).toBe(CUT + (bytes.length - CUT) + bytes.length)
    expect((await collect(repository.openBlob(digest))).equals(bytes)).toBe(true)
    expect(left(directory)).toEqual([])
  })

  test('that had everything asks for nothing', async () => {
    const { directory, state, blob, repository } = await broken()
    const [path = ''] = left(directory)
    writeFileSync(path, bytes)
    state.given = 0
    expect(await repository.putBlob(blob)).toEqual({ digest, size: bytes.length })
    expect([state.given, state.resumed]).toEqual([0, []])
  })

  test('leaves nothing that is too small, cannot be resumed, or is wrong', async () => {
    const directory = temporaryDirectory()
    const { blob } = remote()
    const repository = openLayout(directory).repository('app')
    const { openFrom: _, ...whole } = blob
    await expect(repository.putBlob(whole)).rejects.toThrow('connection was lost')
    await expect(repository.putBlob({ ...blob, size: (1 << 20) + 1 })).rejects.toMatchObject({
      code: 'OCI_DIGEST_MISMATCH',
    })
    const short = { ...blob, open: () => bytesThenFailure(bytes.subarray(0, 1000)) }
    await expect(repository.putBlob(short)).rejects.toThrow('gone')
    expect(left(directory)).toEqual([])
  })
})

async function* bytesThenFailure(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
  throw new Error('gone')
}

describe('prune', () => {
  test('takes what no name leads to and nobody wanted for long', async () => {
    const directory = temporaryDirectory()
    const layout = openLayout(directory)
    const repository = layout.repository('app')
    const kept = await randomImage({ repository, seed: 1, tags: ['kept'] })
    const gone = await randomImage({ repository, seed: 2, tags: ['gone'] })
    const untagged = await randomImage({ repository, seed: 3, tags: [] })
    expect(layout.remove('app:gone')).toBe(true)
    expect(layout.remove('app:gone')).toBe(false)
    expect(layout.prune(HOUR)).toEqual({ blobs: [], bytes: 0 })
    age(directory)
    // Somebody is about to use one of them again.
    const wanted = untagged.manifest.layers[0]?.digest as Digest
    expect(await repository.blobSize(wanted)).toBeGreaterThan(0)
    const pruned = layout.prune(HOUR)
    expect(new Set(pruned.blobs)).toEqual(
      new Set([
        ...[gone, untagged].flatMap(({ digest, manifest }) => [
          digest,
          manifest.config.digest,
          ...manifest.layers.map((layer) => layer.digest).filter((digest) => digest !== wanted),
        ]),
      ]),
    )
    expect(pruned.bytes).toBeGreaterThan(0)
    await validateImage(kept)
    expect(await readImage(repository, gone.digest)).toBeUndefined()
    expect(await repository.blobSize(wanted)).toBeGreaterThan(0)
  })

  test('keeps what an index leads to', async () => {
    const directory = temporaryDirectory()
    const layout = openLayout(directory)
    const repository = layout.repository('app')
    const image = await randomImage({ repository, tags: [] })
    const index = {
      schemaVersion: 2,
      manifests: [{ mediaType: image.mediaType, digest: image.digest, size: image.manifestBytes.length }],
    }
    await repository.putManifest(Buffer.from(JSON.stringify(index)), MEDIA_TYPES.ociIndex, ['multi'])
    age(directory)
    expect(layout.prune(HOUR).blobs).toEqual([])
    await validateImage((await readImage(repository, 'multi')) as Image)
  })

  test('takes what killed processes left half-written', async () => {
    const directory = temporaryDirectory()
    const layout = openLayout(directory)
    await randomImage({ repository: layout.repository('app') })
    const left = join(directory, '.slipway', 'tmp', 'left')
    const fresh = join(directory, '.slipway', 'tmp', 'fresh')
    for (const path of [left, fresh]) writeFileSync(path, 'half')
    utimesSync(left, new Date(0), new Date(0))
    layout.prune(HOUR)
    expect([existsSync(left), existsSync(fresh)]).toEqual([false, true])
  })

  test('does nothing where an image cannot be understood', async () => {
    const directory = temporaryDirectory()
    const layout = openLayout(directory)
    const image = await randomImage({ repository: layout.repository('app') })
    writeFileSync(blobPath(directory, image.digest), 'damaged')
    age(directory)
    expect(() => layout.prune(HOUR)).toThrow(expect.objectContaining({ code: 'OCI_MANIFEST_INVALID' }))
    expect(readdirSync(join(directory, 'blobs', 'sha256'))).toHaveLength(4)
  })
})

describe('strangers', () => {
  test('layouts without names, or with short ones', async () => {
    const directory = temporaryDirectory()
    const image = await randomImage({ repository: openLayout(directory).repository('app') })
    const descriptor = { mediaType: image.mediaType, digest: image.digest, size: image.manifestBytes.length }
    rmSync(join(directory, '.slipway'), { recursive: true })
    const named = { ...descriptor, annotations: { 'org.opencontainers.image.ref.name': 'latest' } }
    writeFileSync(
      join(directory, 'index.json'),
      JSON.stringify({
        schemaVersion: 2,
        manifests: [descriptor, named],
        annotations: { mine: 'x' },
        extra: 1,
      }),
    )
    const layout = openLayout(directory)
    expect(layout.images().map(({ name }) => name)).toEqual([undefined, 'latest'])
    expect((await readImage(layout.repository(''), 'latest'))?.digest).toBe(image.digest)
    await copyImage(image, layout.repository('app'), ['new'])
    expect(layout.remove('latest')).toBe(true)
    expect(layout.images().map(({ name }) => name)).toEqual([undefined, 'app:new'])
    expect(JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8'))).toMatchObject({
      extra: 1,
      annotations: { mine: 'x' },
    })
  })

  test('may write the index between our changes', async () => {
    const directory = temporaryDirectory()
    const layout = openLayout(directory)
    const repository = layout.repository('app')
    await randomImage({ repository, seed: 1, tags: ['ours'] })
    const path = join(directory, 'index.json')
    for (const keepAnnotations of [true, false]) {
      const index = JSON.parse(readFileSync(path, 'utf8'))
      const theirs = {
        ...index.manifests[0],
        annotations: { 'org.opencontainers.image.ref.name': `theirs-${keepAnnotations}` },
      }
      const changed = { ...index, manifests: [...index.manifests, theirs] }
      if (!keepAnnotations) delete changed.annotations
      writeFileSync(path, JSON.stringify(changed))
      expect(layout.images().map(({ name }) => name)).toContain(`theirs-${keepAnnotations}`)
      await randomImage({ repository, seed: 2, tags: [`after-${keepAnnotations}`] })
    }
    expect(layout.images().map(({ name }) => name)).toEqual([
      'app:ours',
      'theirs-true',
      'app:after-true',
      'theirs-false',
      'app:after-false',
    ])
  })

  test('directories that are something else are neither read nor written', async () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'README'), '')
    const layout = openLayout(directory)
    const expected = { code: 'OCI_LAYOUT_INVALID', subject: directory }
    expect(() => layout.images()).toThrow(expect.objectContaining(expected))
    await expect(layout.repository('x').getManifest('y')).rejects.toMatchObject(expected)
    await expect(randomImage({ repository: layout.repository('x') })).rejects.toMatchObject(expected)
    const file = openLayout(join(directory, 'README'))
    expect(() => file.images()).toThrow(expect.objectContaining({ code: 'OCI_LAYOUT_INVALID' }))
    expect(readdirSync(directory)).toEqual(['README'])
  })

  test.each(['', '{', '[]', '{"schemaVersion":2}', '{"schemaVersion":2,"manifests":[{"digest":"x"}]}'])(
    'an index of %j is an error',
    (text) => {
      const directory = temporaryDirectory()
      writeFileSync(join(directory, 'oci-layout'), '{}')
      writeFileSync(join(directory, 'index.json'), text)
      expect(() => openLayout(directory).images()).toThrow(
        expect.objectContaining({ code: 'OCI_MANIFEST_INVALID' }),
      )
    },
  )
})

describe('access', () => {
  test('to what does not exist yet is given where it can be made', async () => {
    const directory = temporaryDirectory()
    const repository = openLayout(join(directory, 'a', 'b')).repository('x')
    await repository.verifyAccess('read')
    await repository.verifyAccess('write')
    expect(readdirSync(directory)).toEqual([])
  })

  test('is denied clearly', async () => {
    const directory = temporaryDirectory()
    mkdirSync(join(directory, 'closed'), { mode: 0o555 })
    const verify = openLayout(join(directory, 'closed', 'layout'))
      .repository('x')
      .verifyAccess('write')
    // Root may write anywhere.
    if (process.getuid?.() === 0) await verify
    else await expect(verify).rejects.toMatchObject({ code: 'OCI_ACCESS_DENIED' })
  })
})

describe('a crash of a writer of the index', () => {
  const entry = (name: string) => ({
    mediaType: MEDIA_TYPES.ociManifest,
    digest: digestOf(name),
    size: 1,
    annotations: { 'org.opencontainers.image.ref.name': name },
  })
  const names = (directory: string) =>
    indexFile(directory)
      .read()
      .map((manifest) => manifest.annotations?.['org.opencontainers.image.ref.name'])

  test('after the commit and before index.json: the change holds, and is published by the next', () => {
    const directory = temporaryDirectory()
    const index = indexFile(directory)
    index.update((manifests) => (manifests.length === 1 ? manifests : [entry('one')]))
    const old = readFileSync(join(directory, 'index.json'))
    index.update((manifests) => (manifests.length === 2 ? manifests : [...manifests, entry('two')]))
    writeFileSync(join(directory, 'index.json'), old)
    expect(names(directory)).toEqual(['one', 'two'])
    indexFile(directory).update((manifests) => manifests)
    expect(JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')).manifests).toHaveLength(2)
  })

  test('leaves temporary files that disturb nobody', () => {
    const directory = temporaryDirectory()
    const index = indexFile(directory)
    index.update((manifests) => (manifests.length === 1 ? manifests : [entry('one')]))
    writeFileSync(join(directory, '.slipway', 'index', '.0123.tmp'), 'half')
    writeFileSync(join(directory, '.slipway', 'index', 'rubbish'), 'half')
    expect(names(directory)).toEqual(['one'])
  })

  test('a writer that was overtaken while it slept starts over', () => {
    const directory = temporaryDirectory()
    const slow = indexFile(directory)
    let first = true
    const add = (name: string) => (manifests: readonly ReturnType<typeof entry>[]) =>
      manifests.some((manifest) => manifest.annotations['org.opencontainers.image.ref.name'] === name)
        ? manifests
        : [...manifests, entry(name)]
    slow.update((manifests) => {
      if (first) {
        first = false
        // Others commit several generations, and the places between are free again.
        for (const name of ['a', 'b', 'c']) indexFile(directory).update(add(name) as never)
      }
      return add('slow')(manifests as never) as never
    })
    expect(names(directory).sort()).toEqual(['a', 'b', 'c', 'slow'])
  })

  test('any order of interleaved changes keeps all of them', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }), (order) => {
        const directory = temporaryDirectory()
        const pending = [...order]
        /** Every change is interrupted by the next one, after it has read. */
        const change = (name: string): void => {
          let interrupted = false
          indexFile(directory).update((manifests) => {
            if (!interrupted) {
              interrupted = true
              const count = pending.shift()
              for (let inner = 0; inner < (count ?? 0); inner++) change(`${name}.${inner}`)
            }
            const there = manifests.some(
              (manifest) => manifest.annotations?.['org.opencontainers.image.ref.name'] === name,
            )
            if (!there) made.add(name)
            return there ? manifests : [...manifests, entry(name)]
          })
        }
        const made = new Set<string>()
        change('root')
        expect(new Set(names(directory))).toEqual(made)
        expect(JSON.parse(readFileSync(join(directory, 'index.json'), 'utf8')).manifests).toHaveLength(
          made.size,
        )
      }),
      { numRuns: 30 },
    )
  })
})
