import { afterEach, describe, expect, it } from 'vitest'
import { faultDocument } from './testing/fault-rows/document.ts'
import { closeSettings } from './testing/fault-rows/setting.ts'
import { FAULTS } from './testing/fault-rows/table.ts'

afterEach(closeSettings)

describe.each(FAULTS)('$title', ({ rows }) => {
  it.each(rows)('$registry: the client $client', ({ check }) => check())
})

it('docs/registry-faults.md says so', async () => {
  await expect(faultDocument(FAULTS)).toMatchFileSnapshot('../../docs/registry-faults.md')
})
