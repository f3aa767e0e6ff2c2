import { expect, test } from 'vitest'
import { restoreEnvironment } from './restore-environment.ts'

test('what the starter hid has its name again, in the place of nothing else', () => {
  const environment = { A: '1', _SLIPWAY_ENV_NODE_OPTIONS: '--x', _SLIPWAY_ENV_LD_PRELOAD: '' }
  restoreEnvironment(environment)
  expect(environment).toEqual({ A: '1', NODE_OPTIONS: '--x', LD_PRELOAD: '' })
})

test('an environment without anything hidden stays as it is', () => {
  const environment = { A: '1', SLIPWAY_ENV_B: '2' }
  restoreEnvironment(environment)
  expect(environment).toEqual({ A: '1', SLIPWAY_ENV_B: '2' })
})
