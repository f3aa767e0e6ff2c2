import { describe, expect, test } from 'vitest'
import type { Plan } from '../../../spec/files/plan.ts'
import { parseBuildpackId } from '../../../spec/names.ts'
import { planAfter, planFor } from './plan.ts'
import { addProcesses, NO_PROCESSES } from './processes.ts'

const id = parseBuildpackId
const entry = (name: string, ...providers: string[]): Plan['entries'][number] => ({
  providers: providers.map((provider) => ({
    id: id(provider.replace('ext:', '')),
    version: '1',
    extension: provider.startsWith('ext:'),
  })),
  requires: [{ name }, { name }],
})

describe('the plan of a buildpack (BU-4)', () => {
  const plan: Plan = { entries: [entry('a', 'x', 'y'), entry('b', 'y'), entry('c', 'ext:x')] }

  test('is what it offered and nobody has met, without what extensions provide', () => {
    expect(planFor(plan, 'buildpack', id('x')).entries.map(({ name }) => name)).toEqual(['a', 'a'])
    expect(planFor(plan, 'buildpack', id('y')).entries.map(({ name }) => name)).toEqual(['a', 'a', 'b', 'b'])
    expect(planFor(plan, 'buildpack', id('z')).entries).toEqual([])
  })

  test('loses what was met, keeps what was left unmet', () => {
    const names = (after: Plan) => after.entries.map(({ requires }) => requires[0]?.name)
    expect(names(planAfter(plan, planFor(plan, 'buildpack', id('x')), [], 'x@1'))).toEqual(['b', 'c'])
    expect(names(planAfter(plan, planFor(plan, 'buildpack', id('x')), ['a'], 'x@1'))).toEqual(['a', 'b', 'c'])
    expect(names(planAfter(plan, planFor(plan, 'buildpack', id('y')), ['b'], 'y@1'))).toEqual(['b', 'c'])
  })

  test.each([
    ['', 'unmet.name is required'],
    ['b', "unmet.name 'b' must match a requested dependency"],
  ])('unmet %j that was not asked for', (name, message) => {
    expect(() => planAfter(plan, planFor(plan, 'buildpack', id('x')), [name], 'x@1')).toThrow(
      expect.objectContaining({ code: 'BUILD_UNMET_INVALID', message: expect.stringContaining(message) }),
    )
  })
})

describe('processes (PR-2)', () => {
  const process_ = (type: string, isDefault = false, program = 'run') => ({
    type,
    command: [program],
    direct: true,
    buildpackId: 'x',
    default: isDefault,
  })
  const added = (...lists: ReturnType<typeof process_>[][]) => {
    let processes = NO_PROCESSES
    const warnings: (string | undefined)[] = []
    for (const list of lists) {
      const result = addProcesses(processes, list)
      processes = result.processes
      warnings.push(result.warning)
    }
    return { ...processes, warnings }
  }

  test('of one type: the last one counts', () => {
    const { byType } = added([process_('web', false, 'old')], [process_('web', false, 'new')])
    expect(byType.get('web')?.command).toEqual(['new'])
    expect(byType.get('web')).not.toHaveProperty('default')
  })

  test('the last default counts', () => {
    expect(added([process_('a', true)], [process_('b', true), process_('c')]).defaultType).toBe('b')
  })

  test('a default that is replaced by what is none leaves none, unless another follows', () => {
    const replaced = added([process_('web', true)], [process_('web')])
    expect(replaced.defaultType).toBeUndefined()
    expect(replaced.warnings[1]).toContain('redefining the following default process type')
    const followed = added([process_('web', true)], [process_('web'), process_('api', true)])
    expect(followed.defaultType).toBe('api')
    expect(followed.warnings[1]).toBeUndefined()
  })
})
