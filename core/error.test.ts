import { expect, test } from 'vitest'
import { errorChain, hintOf, SlipwayError, systemCode } from './error.ts'

test('the chain of causes is said once each', () => {
  const inner = new Error('connection refused')
  const outer = new SlipwayError('OCI_PUSH_FAILED', 'push failed', {
    cause: new Error('PUT /v2/: connection refused', { cause: inner }),
  })
  expect(errorChain(outer)).toBe('push failed: PUT /v2/: connection refused')
  expect(errorChain('text')).toBe('text')
})

test('the hint nearest to the cause is the one to try', () => {
  const cause = new SlipwayError('HTTP_CONNECT_FAILED', 'no route', { hint: 'check the proxy' })
  const between = new Error('cannot ask', { cause })
  expect(hintOf(new SlipwayError('CORE_X', 'x', { hint: 'check the name', cause: between }))).toBe(
    'check the proxy',
  )
  expect(hintOf(new SlipwayError('CORE_X', 'x', { hint: 'check the name' }))).toBe('check the name')
  expect(hintOf(new Error('x'))).toBeUndefined()
})

test('another exit code keeps everything else', () => {
  const error = new SlipwayError('CORE_X', 'x', {
    subject: 's',
    hint: 'h',
    class: 'user',
    cause: 1,
  }).withExitCode(62)
  expect(error).toMatchObject({
    code: 'CORE_X',
    subject: 's',
    hint: 'h',
    class: 'user',
    cause: 1,
    exitCode: 62,
  })
})

test('only system errors have a system code', () => {
  expect(systemCode(Object.assign(new Error(), { code: 'ENOENT' }))).toBe('ENOENT')
  expect(systemCode(new SlipwayError('CORE_X', 'x'))).toBeUndefined()
  expect(systemCode(undefined)).toBeUndefined()
})
