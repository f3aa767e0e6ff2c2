import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  ancestors,
  type ContainerPath,
  containerPath,
  isWithin,
  joinPath,
  parentPath,
} from './container-path.ts'

test.each([
  ['/', '/'],
  ['//a//b/', '/a/b'],
  ['/a/./b/../c', '/a/c'],
  ['/../..', '/'],
])('%s is %s', (text, clean) => expect(containerPath(text)).toBe(clean))

test.each(['', 'a', './a', '/a\0b'])('%j is refused', (text) => {
  expect(() => containerPath(text)).toThrow(expect.objectContaining({ code: 'CORE_PATH_INVALID' }))
})

test('ancestors stand outermost first, without the path itself', () => {
  expect(ancestors(containerPath('/layers/bp/deps'))).toEqual(['/', '/layers', '/layers/bp'])
  expect(ancestors(containerPath('/'))).toEqual([])
  expect(parentPath(containerPath('/a'))).toBe('/')
})

const path = fc
  .array(fc.constantFrom('a', 'bb', '..', '.', ''), { maxLength: 6 })
  .map((parts) => `/${parts.join('/')}`)

test('whatever is joined stays below its base', () => {
  fc.assert(
    fc.property(
      path,
      fc.array(fc.constantFrom('..', '/', 'x', '../..', 'y/../..'), { maxLength: 5 }),
      (base, parts) => {
        const joined = joinPath(containerPath(base), ...parts)
        expect(isWithin(joined, containerPath(base))).toBe(true)
        expect(containerPath(joined)).toBe(joined)
      },
    ),
  )
})

test('a name that only begins like the base is not within it', () => {
  expect(isWithin('/layers2' as ContainerPath, '/layers' as ContainerPath)).toBe(false)
})
