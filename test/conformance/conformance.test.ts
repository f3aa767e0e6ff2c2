import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { contextOf, openShared, type Shared } from './context.ts'
import { conformanceDocument } from './document.ts'
import { SECTIONS } from './ids.ts'
import { endsOf, isCheck, variantsOf } from './row.ts'
import { TABLE } from './table.ts'

let shared: Shared
beforeAll(async () => {
  shared = await openShared()
})
afterAll(() => shared[Symbol.asyncDispose]())

describe('the table', () => {
  test('says something of every requirement, and of nothing else', () => {
    const ids = SECTIONS.flatMap((section) => section.ids)
    expect([...new Set(TABLE.map(({ id }) => id))].sort()).toEqual([...ids].sort())
  })

  test('is what docs/conformance.md shows (npm run conformance:write)', () => {
    const written = readFileSync(new URL('../../docs/conformance.md', import.meta.url), 'utf8')
    expect(written).toBe(conformanceDocument(TABLE))
  })
})

/** Each version that a check applies to; `CONFORMANCE=ends` takes the oldest and the newest, in a quarter of the time. */
const isEveryVersion = process.env.CONFORMANCE !== 'ends'

const runs = TABLE.filter(isCheck).flatMap((check) =>
  (isEveryVersion ? variantsOf : endsOf)(check).map((variant) => ({
    name: `${check.id} ${check.title} (P ${variant.platformApi}, B ${variant.buildpackApi})`,
    check,
    variant,
  })),
)

describe.concurrent('conformance', () => {
  for (const { name, check, variant } of runs) {
    test.skipIf(check.needsRoot === true && process.getuid?.() !== 0)(name, async ({ expect: own }) =>
      check.run(contextOf(shared, variant, own)),
    )
  }
})
