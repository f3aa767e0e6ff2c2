import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { buildSettings } from './host-settings.ts'

function machine() {
  const root = mkdtempSync(join(tmpdir(), 'slipway-host-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const home = join(root, 'home')
  mkdirSync(home)
  writeFileSync(
    join(home, '.npmrc'),
    'registry=https://npm.company.example/\n//npm.company.example/:_authToken=S3CRET\n',
  )
  return {
    root,
    home,
    env: { HTTPS_PROXY: 'http://me:S3CRET@proxy.company.example:3128', NO_PROXY: 'localhost' },
  }
}

test('addresses and proxies reach the build, secrets do not', async () => {
  const { files, environment } = await buildSettings({ env: { A: '1' }, hostConfig: 'settings' }, machine())
  expect(files['env/A']).toBe('1')
  expect(files['bindings/host-npmrc/type']).toBe('npmrc')
  expect(files['bindings/host-npmrc/.npmrc']).toContain('registry=https://npm.company.example/')
  expect(environment).toMatchObject({
    HTTPS_PROXY: expect.stringContaining('proxy.company.example:3128'),
    no_proxy: 'localhost',
  })
  expect(JSON.stringify({ files, environment })).not.toContain('S3CRET')
})

test('credentials come only when asked for', async () => {
  const { files, environment } = await buildSettings({ env: {}, hostConfig: 'credentials' }, machine())
  expect(files['bindings/host-npmrc/.npmrc']).toContain('S3CRET')
  expect(environment.https_proxy).toContain('S3CRET')
})

test('nothing of the machine comes where it was forbidden', async () => {
  expect(await buildSettings({ env: { A: '1' }, hostConfig: 'off' }, machine())).toEqual({
    files: { 'env/A': '1' },
    environment: {},
  })
})
