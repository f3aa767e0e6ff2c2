import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  chooseVersion,
  notFound,
  requestedVersion,
  satisfiesRange,
  type VersionSources,
} from './node-version.ts'

const NONE: VersionSources = {
  variable: undefined,
  engines: undefined,
  nvmrc: undefined,
  nodeVersionFile: undefined,
}
const PUBLISHED = [
  '4.9.1',
  '18.20.8',
  '20.20.2',
  '22.9.0',
  '22.23.3',
  '24.8.0',
  '24.21.0',
  '25.1.0',
  '26.10.0',
  '26.11.0-rc.1',
]

describe('requestedVersion', () => {
  it('takes the first place that says something', () => {
    const all = { variable: '26', engines: '>=20', nvmrc: '22', nodeVersionFile: '18' }
    expect(requestedVersion(all)).toMatchObject({ rule: 'BP_NODE_VERSION', written: '26' })
    expect(requestedVersion({ ...all, variable: '' }).rule).toBe('engines.node in package.json')
    expect(requestedVersion({ ...all, variable: undefined, engines: ' ' }).rule).toBe('.nvmrc')
    expect(requestedVersion({ ...NONE, nodeVersionFile: '18' }).rule).toBe('.node-version')
    expect(requestedVersion(NONE)).toMatchObject({ rule: 'the default', written: '24.x' })
  })

  it.each([
    ['22', '22.23.3'],
    ['v22.9.0', '22.9.0'],
    ['node-v22.9.0', '22.9.0'],
    ['22.x', '22.23.3'],
    ['~22.9', '22.9.0'],
    ['>=22 <25', '24.21.0'],
    ['>=18', '24.21.0'],
    ['^20 || ^22', '22.23.3'],
    ['>=25', '26.10.0'],
    ['25', '25.1.0'],
    ['lts/*', '24.21.0'],
    ['LTS', '24.21.0'],
    ['lts/-1', '22.23.3'],
    ['lts/Jod', '22.23.3'],
    ['jod', '22.23.3'],
    ['krypton', '24.21.0'],
    ['node', '26.10.0'],
    ['latest', '26.10.0'],
    ['stable', '24.21.0'],
    ['*', '24.21.0'],
    ['# comment\n\n20 # why', '20.20.2'],
    ['99', undefined],
  ])('%j is %s', (written, version) => {
    expect(chooseVersion(PUBLISHED, requestedVersion({ ...NONE, nvmrc: written }).range)).toBe(version)
  })

  it.each(['lts/unknown', 'lts/-99', 'twenty', '24.1.0.0', '../x'])('%s is no version', (written) => {
    expect(() => requestedVersion({ ...NONE, nvmrc: written })).toThrow(
      expect.objectContaining({ code: 'NODE_VERSION_INVALID', subject: '.nvmrc', class: 'user' }),
    )
  })

  it('fails only with its own error, and what it chooses satisfies', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'0123456789.x><=^~ |-*vlts/'), maxLength: 12 }),
        (written) => {
          try {
            const { range } = requestedVersion({ ...NONE, engines: written })
            const version = chooseVersion(PUBLISHED, range)
            if (version !== undefined) expect(satisfiesRange(version, range)).toBe(true)
          } catch (error) {
            expect(error).toMatchObject({ code: 'NODE_VERSION_INVALID' })
          }
        },
      ),
    )
  })

  it('names what is published where nothing fits', () => {
    const request = requestedVersion({ ...NONE, variable: '99' })
    expect(() => notFound(request, PUBLISHED, 'arm64')).toThrow(
      expect.objectContaining({
        code: 'NODE_VERSION_NOT_FOUND',
        message: expect.stringContaining('arm64'),
        hint: 'Published are 24.21.0, 22.23.3, 20.20.2, 18.20.8 and others.',
      }),
    )
  })
})
