import { describe, expect, it } from 'vitest'
import type { AppDirectory, DetectContext } from '../sdk/index.ts'
import { detect } from './detect.ts'

function context(files: Record<string, string>): DetectContext {
  const app: AppDirectory = {
    path: '/app',
    readText: async (name) => files[name],
    isFile: async (name) => Object.hasOwn(files, name),
    isDirectory: async () => false,
    list: async () => [...new Set(Object.keys(files).map((name) => name.split('/')[0] ?? ''))].sort(),
  }
  return { app } as DetectContext
}

describe('detect', () => {
  it('takes an app with a package.json', async () => {
    expect(await detect(context({ 'package.json': '{}' }))).toMatchObject({
      passed: true,
      plan: { provides: ['node', 'npm', 'node_modules'] },
    })
  })

  it.each([
    [{}, 'there is no package.json'],
    [{ 'server.js': '' }, 'there is a server.js but no package.json'],
    [{ 'README.md': '', 'web/package.json': '{}' }, 'one in web/'],
    [{ 'node_modules/package.json': '{}' }, 'there is no package.json'],
  ])('explains why %j is none', async (files, reason) => {
    expect(await detect(context(files))).toMatchObject({
      passed: false,
      reason: expect.stringContaining(reason),
    })
  })

  it('fails over a package.json that does not parse', async () => {
    await expect(detect(context({ 'package.json': '{"a":}' }))).rejects.toMatchObject({
      code: 'NODE_PACKAGE_JSON_INVALID',
      subject: 'package.json:1:6',
    })
  })
})
