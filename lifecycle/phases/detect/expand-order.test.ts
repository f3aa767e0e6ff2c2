import { describe, expect, test } from 'vitest'
import { containerPath } from '../../../core/container-path.ts'
import { parseApiVersion } from '../../../spec/api-version.ts'
import type { OrderElement, OrderGroup } from '../../../spec/files/order.ts'
import { parseBuildpackId } from '../../../spec/names.ts'
import { expandOrder, mergeSystem } from './expand-order.ts'
import type { LookUp } from './modules.ts'

const element = (text: string): OrderElement => {
  const optional = text.endsWith('?')
  const [id = '', version = '1'] = text.replace('?', '').split('@')
  return { id: parseBuildpackId(id), version, optional }
}
const groups = (...lists: string[][]): OrderGroup[] => lists.map((list) => ({ group: list.map(element) }))

/** Composites by ID; everything else is a component. */
function lookUpIn(composites: Record<string, OrderGroup[]>): LookUp {
  return (kind, ref) => ({
    kind,
    directory: containerPath('/bp'),
    info: {
      ...ref,
      name: '',
      homepage: '',
      description: '',
      keywords: [],
      licenses: [],
      clearEnv: false,
      execEnv: [],
    },
    api: '0.12',
    apiVersion: parseApiVersion('0.12'),
    order: composites[ref.id] ?? [],
    targets: [],
    sbomFormats: [],
  })
}

function expanded(
  order: OrderGroup[],
  composites: Record<string, OrderGroup[]> = {},
  orderExtensions: OrderGroup[] = [],
  takesPart: (element: OrderElement) => boolean = () => true,
) {
  const found = expandOrder({ order, orderExtensions }, lookUpIn(composites), takesPart)
  return [...found].map((members) =>
    members.map(({ ref, optional, module }) =>
      [module.kind === 'extension' ? 'ext:' : '', ref.id, optional ? '?' : ''].join(''),
    ),
  )
}

describe('expandOrder', () => {
  test('expands composites depth-first, the left one varying slowest (O-3)', () => {
    const composites = { O: groups(['A', 'B'], ['C', 'D']), P: groups(['E', 'F'], ['G', 'H']) }
    expect(expanded(groups(['E', 'O', 'F']), composites)).toEqual([
      ['E', 'A', 'B', 'F'],
      ['E', 'C', 'D', 'F'],
    ])
    expect(expanded(groups(['O', 'P']), composites)).toEqual([
      ['A', 'B', 'E', 'F'],
      ['A', 'B', 'G', 'H'],
      ['C', 'D', 'E', 'F'],
      ['C', 'D', 'G', 'H'],
    ])
  })

  test('tries the group without an optional composite last (O-4), also when nested', () => {
    const composites = { O: groups(['A', 'P?'], ['C']), P: groups(['E']) }
    expect(expanded(groups(['X', 'O?', 'Y?']), composites)).toEqual([
      ['X', 'A', 'E', 'Y?'],
      ['X', 'A', 'Y?'],
      ['X', 'C', 'Y?'],
      ['X', 'Y?'],
    ])
  })

  test('leaves out a second member of the same ID, whatever its version (O-7)', () => {
    expect(expanded(groups(['A@1', 'O', 'A@2']), { O: groups(['A@3', 'B']) })).toEqual([['A', 'B']])
  })

  test('puts extensions at the head, their groups in order and none at last (O-2)', () => {
    expect(expanded(groups(['A'], ['B']), {}, groups(['x', 'y'], ['A']))).toEqual([
      ['ext:x?', 'ext:y?', 'A'],
      ['ext:A?', 'A'],
      ['A'],
      ['ext:x?', 'ext:y?', 'B'],
      ['ext:A?', 'B'],
      ['B'],
    ])
  })

  test('passes over who does not take part, so that another of that ID may', () => {
    const takesPart = ({ id, version }: OrderElement) => !(id === 'A' && version === '1')
    expect(expanded(groups(['A@1', 'B', 'A@2']), {}, [], takesPart)).toEqual([['B', 'A']])
  })

  test('finds a cycle when it comes to it, and not before', () => {
    const composites = { X: groups(['A'], ['Y']), Y: groups(['B', 'X']) }
    const found = expandOrder({ order: groups(['X']), orderExtensions: [] }, lookUpIn(composites), () => true)
    expect(found.next().value).toHaveLength(1)
    expect(() => found.next()).toThrow(
      expect.objectContaining({
        code: 'DETECT_ORDER_CYCLE',
        message: expect.stringContaining('X@1 → Y@1 → X@1'),
      }),
    )
  })

  test('a composite twice side by side is no cycle', () => {
    expect(expanded(groups(['O', 'P']), { O: groups(['A']), P: groups(['O', 'B']) })).toEqual([['A', 'B']])
  })

  test('works out no more than is asked for', () => {
    const composites = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`O${i}`, groups([`A${i}`], [`B${i}`])]),
    )
    const order = { order: groups(Object.keys(composites)), orderExtensions: [] }
    const [first] = expandOrder(order, lookUpIn(composites), () => true)
    expect(first).toHaveLength(40)
  })
})

test('system buildpacks stand around every group, unless it names one of that ID (O-1)', () => {
  const system = { pre: [element('P'), element('A@9')], post: [element('Q?'), element('B')] }
  const said: string[] = []
  const merged = mergeSystem(groups(['A'], ['B']), system, (line) => said.push(line))
  expect(merged.map(({ group }) => group.map(({ id, optional }) => `${id}${optional ? '?' : ''}`))).toEqual([
    ['P', 'A', 'Q?', 'B'],
    ['P', 'A', 'B', 'Q?'],
  ])
  expect(said).toEqual([
    'Prepending 1 system buildpack(s) to group',
    'Appending 2 system buildpack(s) to group',
    'Prepending 2 system buildpack(s) to group',
    'Appending 1 system buildpack(s) to group',
  ])
})
