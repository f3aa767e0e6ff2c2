import { expect, test } from 'vitest'
import { FLAGS, inputsFromEnvironment, pathOf, resolvePaths, withFlags } from './inputs.ts'

test('flags win over the environment, the environment over defaults', () => {
  const env = {
    CNB_APP_DIR: '/env/app',
    CNB_LAYERS_DIR: '/env/layers',
    CNB_USER_ID: '1000',
    CNB_GROUP_ID: 'many',
    CNB_NO_COLOR: 'yes',
    CNB_SKIP_RESTORE: '1',
    CNB_INSECURE_REGISTRIES: 'a:5000,b:5000',
    CNB_PLATFORM_DIR: '',
  }
  const inputs = withFlags(inputsFromEnvironment(env), new Map([['app', '/flag/app']]))
  expect(inputs).toMatchObject({
    appDir: '/flag/app',
    layersDir: '/env/layers',
    platformDir: '/platform',
    uid: 1000,
    gid: 0,
    // Words that Go does not know as a boolean mean false.
    noColor: false,
    skipLayers: true,
    insecureRegistries: ['a:5000', 'b:5000'],
    execEnv: 'production',
  })
})

test('the layers directory is put into the defaults that stand in it', () => {
  const inputs = withFlags(inputsFromEnvironment({}), new Map([['layers', '/my/$&layers']]))
  const resolved = resolvePaths(inputs, () => true)
  expect(resolved).toMatchObject({
    groupPath: '/my/$&layers/group.toml',
    orderPath: '/my/$&layers/order.toml',
    launcherPath: '/cnb/lifecycle/launcher',
  })
})

test('an empty layers directory is the working directory', () => {
  const inputs = resolvePaths({ ...inputsFromEnvironment({}), layersDir: '' }, () => true)
  expect(inputs.analyzedPath).toBe('analyzed.toml')
  expect(pathOf(inputs.layersDir)).toBe(pathOf('.'))
})

test('/cnb/order.toml is the order where nothing else is', () => {
  const none = () => false
  expect(resolvePaths(inputsFromEnvironment({}), none).orderPath).toBe('/cnb/order.toml')
  expect(resolvePaths(inputsFromEnvironment({ CNB_ORDER_PATH: '/mine.toml' }), none).orderPath).toBe(
    '/mine.toml',
  )
})

test('relative paths count from the working directory, names beyond ASCII are bytes', () => {
  expect(pathOf('x/../é')).toBe(`${process.cwd()}/${Buffer.from('é').toString('latin1')}`)
})

test('every flag names an input', () => {
  const inputs = inputsFromEnvironment({})
  for (const [key, kind] of Object.values(FLAGS)) {
    const value: unknown = inputs[key]
    const expected = {
      text: 'string',
      boolean: 'boolean',
      integer: 'number',
      duration: 'number',
      list: 'object',
    }
    expect(`${key} ${typeof value}`).toBe(`${key} ${expected[kind]}`)
  }
})
