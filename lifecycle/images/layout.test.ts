import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { copyImage } from '../../oci/copy.ts'
import { openLayout } from '../../oci/layout/layout.ts'
import { parseReference, type Reference } from '../../oci/reference.ts'
import { randomImage, validateImage } from '../../oci/testing/index.ts'
import type { ImageAccess, ImageNaming } from '../context.ts'
import { findImage } from './find.ts'
import { layoutImages } from './layout.ts'

let directory: string
let access: ImageAccess
let naming: ImageNaming
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'slipway-layouts-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  access = layoutImages(directory)
  if (access.naming === undefined) throw new Error('layouts have names of their own')
  naming = access.naming
})
const at = (name: string) => access.repository(parseReference(name))
const digest = `sha256:${'a'.repeat(64)}`

test.each([
  ['app', 'index.docker.io/library/app/latest'],
  ['registry.example:5000/team/app:1.0', 'registry.example:5000/team/app/1.0'],
  [`team/app@${digest}`, `index.docker.io/team/app/sha256/${'a'.repeat(64)}`],
])('%s is at %s, and its names can be read back (LO-1)', (name, place) => {
  const reference = parseReference(name)
  const path = join(directory, place)
  expect(access.repository(reference).name).toBe(path)
  expect(naming.savedName(name, reference)).toBe(path)
  expect(naming.parse(name)).toEqual(reference)
  expect(naming.parse(path)).toEqual(reference)
  const found: Reference = { ...reference, digest: digest as Reference['digest'] & string }
  expect(naming.digestName(reference, found.digest as never)).toBe(`${path}@${digest}`)
  expect(naming.parse(`${path}@${digest}`)).toEqual(found)
})

test.each(['../up', 'a/../../b'])('%s leads out of the directory and is no name', (name) => {
  expect(() => naming.parse(name)).toThrow(expect.objectContaining({ code: 'OCI_REFERENCE_INVALID' }))
  expect(() => naming.parse(`${directory}/registry.example/${name}`)).toThrow()
})

test('an image is a layout of its own, found by its name and by what the analyzer writes', async () => {
  const image = await randomImage({ repository: at('team/app:1'), tags: ['1'] })
  const path = join(directory, 'index.docker.io/team/app/1')
  expect(existsSync(join(path, 'oci-layout'))).toBe(true)
  const [entry] = JSON.parse(readFileSync(join(path, 'index.json'), 'utf8')).manifests
  expect(entry.annotations).toEqual({ 'org.opencontainers.image.ref.name': '1' })
  const found = await findImage(access, 'team/app:1')
  expect(found?.digestName).toBe(`${path}@${image.digest}`)
  expect((await findImage(access, found?.digestName ?? ''))?.image.digest).toBe(image.digest)
  expect(await findImage(access, 'team/app:2')).toBeUndefined()
})

test('of a layout that names nothing the only image is taken, or the one for the platform (AMB-27)', async () => {
  const stranger = openLayout(join(directory, 'index.docker.io/library/run/latest'))
  const amd64 = await randomImage({ repository: stranger.repository(''), tags: ['whatever'] })
  expect((await findImage(access, 'run'))?.image.digest).toBe(amd64.digest)
  await randomImage({ repository: stranger.repository(''), tags: ['another'], seed: 2 })
  await expect(findImage(access, 'run')).rejects.toMatchObject({ code: 'OCI_PLATFORM_MISSING' })
})

test('layers that a sparse layout does not have are missing in the copy too, others are there (LO-3)', async () => {
  const image = await randomImage({ repository: at('run:sparse'), tags: ['sparse'] })
  const [gone, kept] = image.manifest.layers
  if (gone === undefined || kept === undefined) throw new Error('two layers')
  rmSync(join(directory, 'index.docker.io/library/run/sparse/blobs', gone.digest.replace(':', '/')))
  const found = await findImage(access, 'run:sparse')
  if (found === undefined) throw new Error('it is there')
  const copy = await copyImage(found.image, at('app'), ['latest'])
  expect(await copy.repository.blobSize(gone.digest)).toBeUndefined()
  expect(await copy.repository.blobSize(kept.digest)).toBe(kept.size)
  await randomImage({ repository: at('run:whole'), tags: ['whole'] })
  const whole = await findImage(access, 'run:whole')
  if (whole === undefined) throw new Error('it is there')
  await validateImage(await copyImage(whole.image, at('other'), ['latest']))
})
