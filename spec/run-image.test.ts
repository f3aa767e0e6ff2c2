import { expect, test } from 'vitest'
import { parseApiVersion } from './api-version.ts'
import { EMPTY_LIFECYCLE_METADATA } from './labels/lifecycle-metadata.ts'
import {
  namesRunImage,
  runImageCandidates,
  runImageForExport,
  runImageOfMetadata,
  runKnows,
} from './run-image.ts'

const registryOf = (name: string) => (name.includes('/') ? name.split('/')[0] : 'index.docker.io')
const normalize = (name: string) => name.replace(/@.*$/, '').replace(/^([^:]+)$/, '$1:latest')
const images = [
  { image: 'a.example/run', mirrors: ['b.example/run', 'c.example/run', 'b.example/other'] },
  { image: 'second', mirrors: [] },
] as const
const [first, second] = images

test('images in the registry of the app come first, none is tried twice', () => {
  expect(runImageCandidates('b.example', first, registryOf)).toEqual([
    'b.example/run',
    'b.example/other',
    'a.example/run',
    'c.example/run',
  ])
  expect(runImageCandidates('x', first, registryOf)[0]).toBe('a.example/run')
  expect(runImageCandidates('x', { image: '', mirrors: ['b.example/run'] }, registryOf)).toEqual([])
})

test('names are compared in their normal form', () => {
  expect(namesRunImage(first, 'b.example/run:latest@sha256:x', normalize)).toBe(true)
  expect(namesRunImage(first, 'b.example/run:1', normalize)).toBe(false)
  expect(namesRunImage({ image: '', mirrors: [] }, '', normalize)).toBe(false)
  expect(runKnows({ images }, 'second', normalize)).toBe(true)
})

test('what the label of the app image says', () => {
  const inputs = {
    platformApi: parseApiVersion('0.12'),
    run: { images },
    stack: { runImage: { image: 'stack', mirrors: [] } },
    name: 'second',
    usedExtensions: false,
    normalize,
  }
  expect(runImageForExport(inputs)).toBe(second)
  expect(runImageForExport({ ...inputs, name: 'unknown' })).toBe(first)
  expect(runImageForExport({ ...inputs, name: 'new', usedExtensions: true })).toEqual({
    image: 'new',
    mirrors: [],
  })
  expect(runImageForExport({ ...inputs, run: { images: [] } })).toEqual({ image: '', mirrors: [] })
  expect(runImageForExport({ ...inputs, platformApi: parseApiVersion('0.11') })).toEqual(
    inputs.stack.runImage,
  )
})

test('what an image was built on', () => {
  const stack = { runImage: { image: 'stack', mirrors: ['m'] } }
  const runImage = { topLayer: 't', reference: 'r', image: 'run', mirrors: [] }
  const metadata = { ...EMPTY_LIFECYCLE_METADATA, runImage, stack }
  expect(runImageOfMetadata(metadata, parseApiVersion('0.12'))).toEqual({ image: 'run', mirrors: [] })
  expect(runImageOfMetadata(metadata, parseApiVersion('0.11'))).toEqual(stack.runImage)
  expect(runImageOfMetadata({ ...EMPTY_LIFECYCLE_METADATA }, parseApiVersion('0.12'))).toBeUndefined()
})
