import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import { type Digest, digestOf, encoded } from '../digest.ts'
import { MEDIA_TYPES } from '../image.ts'
import { encodeHeader } from '../tar/header.ts'
import { type ArchiveFile, archiveTar, fileOf } from './archive.ts'
import { keepSavedImage } from './saved-image.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'saved-image-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const layer = Buffer.from('the tar of a layer'.repeat(100))
const config = Buffer.from(JSON.stringify({ rootfs: { type: 'layers', diff_ids: [digestOf(layer)] } }))

function listOf(name: string): ArchiveFile {
  return fileOf('manifest.json', Buffer.from(JSON.stringify([{ Config: 'config.json', Layers: [name] }])))
}

async function bytesOf(files: readonly ArchiveFile[]): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of archiveTar(files)) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts)
}

async function keep(archive: Uint8Array) {
  return keepSavedImage(
    (async function* () {
      for (let at = 0; at < archive.length; at += 1000) yield archive.subarray(at, at + 1000)
    })(),
    directory,
  )
}

test('a layer is found wherever it stands in the archive, and no file stays', async () => {
  using saved = await keep(
    await bytesOf([fileOf('abc/layer.tar', layer), fileOf('config.json', config), listOf('abc/layer.tar')]),
  )
  expect(readdirSync(directory)).toEqual([])
  const found = saved.layer(digestOf(layer))
  expect(found?.descriptor).toEqual({
    mediaType: MEDIA_TYPES.ociLayer,
    digest: digestOf(layer),
    size: layer.length,
  })
  expect(Buffer.concat([...(found?.open() ?? [])].map((block) => Buffer.from(block)))).toEqual(layer)
  expect(saved.layer(digestOf('another') as Digest)).toBeUndefined()
})

test('a compressed layer of a layout has the digest of its name', async () => {
  const packed = gzipSync(layer)
  const name = `blobs/sha256/${encoded(digestOf(packed))}`
  using saved = await keep(await bytesOf([fileOf(name, packed), fileOf('config.json', config), listOf(name)]))
  expect(saved.layer(digestOf(layer))?.descriptor).toEqual({
    mediaType: MEDIA_TYPES.ociLayerGzip,
    digest: digestOf(packed),
    size: packed.length,
  })
})

test('a link leads to the layer in the archive and to nothing else', async () => {
  const link = (linkname: string) => {
    const header = encodeHeader({
      type: 'symlink',
      name: 'id/layer.tar',
      linkname,
      mode: 0o777,
      uid: 0,
      gid: 0,
    })
    return async () =>
      keep(
        Buffer.concat([
          header,
          await bytesOf([fileOf('abc.tar', layer), fileOf('config.json', config), listOf('id/layer.tar')]),
        ]),
      )
  }
  using saved = await link('../abc.tar')()
  expect(saved.layer(digestOf(layer))?.descriptor.size).toBe(layer.length)
  await expect(link('/etc/passwd')()).rejects.toMatchObject({ code: 'OCI_DAEMON_ARCHIVE_INVALID' })
  await expect(link('layer.tar')()).rejects.toMatchObject({ code: 'OCI_DAEMON_ARCHIVE_INVALID' })
})

test.each([
  ['no list', [fileOf('config.json', config)]],
  ['no such layer', [fileOf('config.json', config), listOf('abc')]],
  ['no configuration', [fileOf('abc', layer), listOf('abc')]],
  ['a list that is none', [fileOf('manifest.json', Buffer.from('{}'))]],
  ['no JSON', [fileOf('manifest.json', Buffer.from('['))]],
  [
    'two images',
    [fileOf('manifest.json', Buffer.from('[{"Config":"a","Layers":[]},{"Config":"b","Layers":[]}]'))],
  ],
  [
    'another number of layers',
    [
      fileOf('config.json', config),
      fileOf('manifest.json', Buffer.from('[{"Config":"config.json","Layers":[]}]')),
    ],
  ],
] as const)('%s is no image', async (_, files) => {
  await expect(bytesOf(files).then(keep)).rejects.toMatchObject({ code: 'OCI_DAEMON_ARCHIVE_INVALID' })
})

test('whatever comes is an image or an error of our own', async () => {
  const good = await bytesOf([fileOf('abc', layer), fileOf('config.json', config), listOf('abc')])
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), fc.boolean(), async (at, byte, cut) => {
      const bad = Buffer.from(cut ? good.subarray(0, at) : good)
      if (!cut) bad[at] = byte
      try {
        const saved = await keep(bad)
        saved[Symbol.dispose]()
      } catch (error) {
        expect(error).toBeInstanceOf(SlipwayError)
      }
    }),
    { numRuns: 200 },
  )
  expect(readdirSync(directory)).toEqual([])
})
