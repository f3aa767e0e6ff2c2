import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTraceparent } from './trace-context.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

describe('parseTraceparent', () => {
  it('reads the ids and whether the trace is recorded', () => {
    const expected = { traceId: TRACE, parentSpanId: PARENT }
    expect(parseTraceparent(`00-${TRACE}-${PARENT}-01`)).toEqual({ ...expected, sampled: true })
    expect(parseTraceparent(`00-${TRACE}-${PARENT}-00`)).toEqual({ ...expected, sampled: false })
    expect(parseTraceparent(`01-${TRACE}-${PARENT}-03-later`)).toEqual({ ...expected, sampled: true })
  })

  it.each([
    ['', 'empty'],
    [`ff-${TRACE}-${PARENT}-01`, 'the version that never is'],
    [`00-${TRACE}-${PARENT}-01-more`, 'version 00 with more'],
    [`00-${'0'.repeat(32)}-${PARENT}-01`, 'no trace'],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, 'no parent'],
    [`00-${TRACE.toUpperCase()}-${PARENT}-01`, 'upper case'],
  ])('takes %j for none: %s', (text) => {
    expect(parseTraceparent(text)).toBeUndefined()
  })

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseTraceparent(text)))
  })
})
