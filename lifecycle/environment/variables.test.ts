import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import {
  allowedEnvironment,
  applyEnvDirectory,
  applyLayer,
  applyPlatformEnvironment,
  type EnvFile,
  programEnvironment,
} from './variables.ts'

const files = (entries: Record<string, string>): EnvFile[] =>
  Object.entries(entries)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))

const env = (entries: Record<string, string> = {}) => new Map(Object.entries(entries))

/** The rules of EV-1 to EV-3 for one variable, said as a table of what becomes of the old value. */
function interpreted(old: string | undefined, actions: Partial<Record<string, string>>, bare: string) {
  let value = old
  for (const action of ['', 'append', 'default', 'override', 'prepend']) {
    const operand = actions[action]
    if (operand === undefined) continue
    const delimiter = value ? (actions.delim ?? '') : ''
    const before = value ?? ''
    const effect = {
      append: before + delimiter + operand,
      prepend: operand + delimiter + before,
      override: operand,
      default: before === '' ? operand : before,
    }
    value = effect[(action === '' ? bare : action) as keyof typeof effect]
  }
  return value
}

const operand = fc.string({ maxLength: 4 })
const actions = fc.record(
  {
    '': operand,
    append: operand,
    prepend: operand,
    override: operand,
    default: operand,
    delim: operand,
    unknown: operand,
    'append.more': operand,
  },
  { requiredKeys: [] },
)

describe('env directories', () => {
  test('agree with the rules said as a table', () => {
    fc.assert(
      fc.property(
        fc.option(operand, { nil: undefined }),
        actions,
        fc.constantFrom('override' as const, 'default' as const),
        (old, given, bare) => {
          const entries = Object.entries(given).map(([action, value]) => [
            action === '' ? 'NAME' : `NAME.${action}`,
            value,
          ])
          const after = applyEnvDirectory(
            env({ OTHER: 'kept', ...(old === undefined ? {} : { NAME: old }) }),
            files(Object.fromEntries(entries)),
            bare,
          )
          expect(after.get('NAME')).toBe(interpreted(old, given, bare))
          expect(after.get('OTHER')).toBe('kept')
          expect(after.size).toBe(after.has('NAME') ? 2 : 1)
        },
      ),
    )
  })

  test('never change what they are given', () => {
    const before = env({ A: '1' })
    applyEnvDirectory(before, files({ A: '2', 'B.append': '3' }), 'override')
    expect([...before]).toEqual([['A', '1']])
  })

  test('take names that mean something to JavaScript as names', () => {
    const after = applyEnvDirectory(env(), files({ __proto__: 'x', constructor: 'y' }), 'override')
    expect(after.get('constructor')).toBe('y')
    const program = programEnvironment({
      cumulative: after,
      user: [{ name: '__proto__', value: 'z' }],
      operator: [],
      clearEnv: false,
      specified: {},
    })
    expect(Object.entries(program)).toContainEqual(['__proto__', 'z'])
  })

  test('keep values as they are: newlines, equals signs, delimiters of several bytes', () => {
    const after = applyEnvDirectory(
      env({ A: 'old' }),
      files({ 'A.append': 'new\n', 'A.delim': ' = ', B: 'x=y\n' }),
      'override',
    )
    expect(after.get('A')).toBe('old = new\n')
    expect(after.get('B')).toBe('x=y\n')
  })
})

describe('layers', () => {
  const layer = (path: string, directories: string[], of: Record<string, string> = {}, build = {}) => ({
    path: containerPath(path),
    directories,
    env: files(of),
    envBuild: files(build),
  })

  test('put their directories in front, then env, then env.build', () => {
    const one = applyLayer(
      env({ PATH: '/usr/bin' }),
      layer('/l/a', ['bin', 'lib', 'include', 'pkgconfig'], { 'PATH.prepend': 'e:' }, { X: 'b' }),
    )
    expect(Object.fromEntries(one)).toEqual({
      PATH: 'e:/l/a/bin:/usr/bin',
      LD_LIBRARY_PATH: '/l/a/lib',
      LIBRARY_PATH: '/l/a/lib',
      CPATH: '/l/a/include',
      PKG_CONFIG_PATH: '/l/a/pkgconfig',
      X: 'b',
    })
    const two = applyLayer(one, layer('/l/b', ['bin'], { X: 'later' }))
    expect(two.get('PATH')).toBe('/l/b/bin:e:/l/a/bin:/usr/bin')
    expect(two.get('X')).toBe('later')
  })

  test('one after the other: append says the first first, prepend the last, override the last, default the first', () => {
    const delimiters = { 'P.delim': ',', 'Q.delim': ',' }
    const of = (name: string) => ({
      'P.append': name,
      'Q.prepend': name,
      R: name,
      'S.default': name,
      ...delimiters,
    })
    const after = ['a', 'b', 'c'].reduce(
      (before, name) => applyLayer(before, layer(`/l/${name}`, [], of(name))),
      env() as ReadonlyMap<string, string>,
    )
    expect(Object.fromEntries(after)).toEqual({ P: 'a,b,c', Q: 'c,b,a', R: 'c', S: 'a' })
  })
})

describe('the environment of a program', () => {
  test('starts from the allow-list alone', () => {
    const allowed = allowedEnvironment({
      PATH: '/bin',
      HOME: '/home/cnb',
      CNB_STACK_ID: 's',
      https_proxy: 'p',
      LD_LIBRARY_PATH: 'l',
      CNB_REGISTRY_AUTH: 'secret',
      CNB_LAYERS_DIR: '/layers',
      LANG: 'C',
    })
    expect([...allowed.keys()].sort()).toEqual([
      'CNB_STACK_ID',
      'HOME',
      'LD_LIBRARY_PATH',
      'PATH',
      'https_proxy',
    ])
  })

  test('users extend path lists in front and replace the rest; suffixes are part of the name', () => {
    const after = applyPlatformEnvironment(
      env({ PATH: '/bin', A: 'old', CPATH: '' }),
      files({ PATH: '/mine', A: 'new', 'B.append': 'x', CPATH: '/inc' }),
    )
    expect(Object.fromEntries(after)).toEqual({
      PATH: '/mine:/bin',
      A: 'new',
      'B.append': 'x',
      CPATH: '/inc',
    })
  })

  test('operators win over users, also in a clear environment; what the spec names wins over all', () => {
    const parts = {
      cumulative: env({ PATH: '/bin' }),
      user: files({ A: 'user', B: 'user' }),
      operator: files({ 'A.override': 'operator', B: 'default', C: 'default', 'PATH.append': ':/op' }),
      specified: { CNB_LAYERS_DIR: '/layers/x', C: 'spec' },
    }
    expect(programEnvironment({ ...parts, clearEnv: false })).toEqual({
      PATH: '/bin:/op',
      A: 'operator',
      B: 'user',
      C: 'spec',
      CNB_LAYERS_DIR: '/layers/x',
    })
    expect(programEnvironment({ ...parts, clearEnv: true })).toEqual({
      PATH: '/bin:/op',
      A: 'operator',
      B: 'default',
      C: 'spec',
      CNB_LAYERS_DIR: '/layers/x',
    })
  })
})
