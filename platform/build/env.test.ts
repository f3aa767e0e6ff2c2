import { expect, test } from 'vitest'
import { buildEnvironment } from './env.ts'

test('values win over files, later over earlier, and = may stand in a value', () => {
  const files = [{ file: 'a.env', text: '# comment\nA=1\n\nB=x=y\r\nC=file' }]
  expect(buildEnvironment(files, ['C=flag', 'D', 'E'], { D: 'own' })).toEqual({
    A: '1',
    B: 'x=y',
    C: 'flag',
    D: 'own',
    E: '',
  })
})

test.each(['=value', '../x=1', ''])('%j is refused without showing the value', (line) => {
  expect(() => buildEnvironment([], [line], {})).toThrow(
    expect.objectContaining({ code: 'BUILD_ENV_INVALID', subject: '--env' }),
  )
})
