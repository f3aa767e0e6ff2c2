import { describe, expect, it } from 'vitest'
import { covers, mergeScopes, pullScope, pushScope } from './scope.ts'

describe('scopes', () => {
  it('are merged, what comes first stays first', () => {
    expect(mergeScopes([pullScope('a')], [pushScope('b'), pushScope('a')])).toEqual([
      'repository:a:pull,push',
      'repository:b:pull,push',
    ])
    expect(mergeScopes(['repository:host:5000/a:pull'])).toEqual(['repository:host:5000/a:pull'])
  })

  it('cover what they allow', () => {
    expect(covers([pushScope('a')], [pullScope('a')])).toBe(true)
    expect(covers([pullScope('a')], [pushScope('a')])).toBe(false)
    expect(covers([pushScope('a')], [pullScope('a'), pullScope('b')])).toBe(false)
    expect(covers(['repository:a:*'], ['repository:a:pull,delete'])).toBe(true)
    expect(covers([], [])).toBe(true)
  })
})
