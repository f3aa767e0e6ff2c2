import { describe, expect, it } from 'vitest'
import { names, runImageMirrors } from './run-image.ts'

const FIRST = { image: 'one/run', mirrors: ['mirror.example/run:1'] }
const SECOND = { image: 'two/run:noble', mirrors: [] }
const RUN = { images: [FIRST, SECOND] }

describe('the mirrors recorded for a run image (cnb-spec RR-3)', () => {
  it.each([
    ['two/run:noble', SECOND],
    ['docker.io/two/run:noble', SECOND],
    [`index.docker.io/two/run:noble@sha256:${'0'.repeat(64)}`, SECOND],
    ['mirror.example/run:1', FIRST],
    ['two/run', FIRST],
    ['unknown', FIRST],
    ['', FIRST],
  ])('%s', (image, expected) => {
    expect(runImageMirrors(RUN, image, false)).toBe(expected)
  })

  it('are none for an image that an extension may have chosen', () => {
    expect(runImageMirrors(RUN, 'unknown', true)).toEqual({ image: 'unknown', mirrors: [] })
    expect(runImageMirrors(RUN, 'two/run:noble', true)).toBe(SECOND)
    expect(runImageMirrors({ images: [] }, 'unknown', true)).toEqual({ image: '', mirrors: [] })
  })

  it('compares what is no name as text', () => {
    expect(names({ image: 'NOT A NAME', mirrors: [] }, 'NOT A NAME')).toBe(true)
    expect(names({ image: '', mirrors: [] }, '')).toBe(false)
  })
})
