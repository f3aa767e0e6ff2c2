import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testLifecycle } from '../../lifecycle/commands/testing/lifecycle.ts'
import { PROGRAMS } from '../../native/build.mjs'
import { NATIVE } from '../../native/testing/programs.ts'
import { contextOf, openShared, type Shared } from '../conformance/context.ts'
import { type Check, isCheck, newestOf } from '../conformance/row.ts'
import { TABLE } from '../conformance/table.ts'
import { MUTANTS, type Mutant } from './mutants.ts'

/**
 * Whether the conformance table would notice: each mutant is the lifecycle or the launcher with one fault in it, and the
 * checks of the requirements that it names have to fail on it.
 */

let shared: Shared
beforeAll(async () => {
  shared = await openShared()
})
afterAll(() => shared[Symbol.asyncDispose]())

/** The file with the fault. @throws where the text to replace is not there once: the code was changed, the mutant was not. */
function mutated({ file, text, replacement }: Mutant): string {
  const [before = '', after, ...more] = readFileSync(join(NATIVE, '..', file), 'utf8').split(text)
  if (after === undefined || more.length > 0) throw new Error(`${file} has not once: ${text}`)
  return before + replacement + after
}

/** What the checks need, with the program that has the fault. */
async function faulty(mutant: Mutant): Promise<Shared & Disposable> {
  const content = mutated(mutant)
  if (!mutant.file.endsWith('.c')) {
    const lifecycle = await testLifecycle({ file: mutant.file, content })
    return { ...shared, lifecycle, [Symbol.dispose]: () => lifecycle[Symbol.dispose]() }
  }
  const sources = mkdtempSync(join(tmpdir(), 'slipway-mutant-'))
  cpSync(join(NATIVE, 'src'), sources, { recursive: true })
  writeFileSync(join(sources, basename(mutant.file)), content)
  const launcher = join(sources, 'launcher')
  const { status, stderr } = spawnSync('gcc', ['-std=c11', '-o', launcher, ...PROGRAMS.launcher], {
    cwd: sources,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`gcc (Debian packages gcc, libc6-dev): ${stderr}`)
  return { ...shared, launcher, [Symbol.dispose]: () => rmSync(sources, { recursive: true }) }
}

const checksOf = (id: string): readonly Check[] => TABLE.filter((row) => row.id === id).filter(isCheck)

/** The first failure of the checks of a requirement, with the newest versions: what differs between them the table runs. */
async function failureOf(id: string, given: Shared): Promise<unknown> {
  for (const check of checksOf(id)) {
    try {
      await check.run(contextOf(given, newestOf(check), expect))
    } catch (error) {
      return error
    }
  }
  return undefined
}

describe.concurrent('mutants', () => {
  test.each([...new Set(MUTANTS.flatMap(({ caughtBy }) => caughtBy))])(
    '%s passes without a fault',
    async (id) => {
      expect(checksOf(id)).not.toEqual([])
      expect(await failureOf(id, shared)).toBeUndefined()
    },
  )

  test.each(MUTANTS)('$name', async (mutant) => {
    using given = await faulty(mutant)
    // It is a fault in one thing, no program that does not run.
    expect((await given.lifecycle.run('lifecycle', ['-version'])).code).toBe(0)
    for (const id of mutant.caughtBy) {
      expect([id, await failureOf(id, given)]).toEqual([
        id,
        expect.objectContaining({ name: 'AssertionError' }),
      ])
    }
  })
})

test('a mutant whose text is gone is an error', () => {
  const [mutant] = MUTANTS
  if (mutant !== undefined) expect(() => mutated({ ...mutant, text: 'no such text' })).toThrow('has not once')
})
