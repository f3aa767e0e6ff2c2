import { describe, expect, test } from 'vitest'
import { parseBuildpackDescriptor, parseExtensionDescriptor } from './files/buildpack.ts'
import type { SupportedTarget } from './files/target.ts'
import {
  completeTarget,
  distroOfOsRelease,
  matchesAnyTarget,
  matchesForRebase,
  matchesTarget,
  targetOfImage,
  targetsOfBuildpack,
  targetsOfExtension,
  targetVariables,
} from './target.ts'

const ubuntu = { name: 'ubuntu', version: '24.04' }
const base = { os: 'linux', arch: 'amd64', distro: ubuntu }
const supports = (target: Partial<SupportedTarget>): SupportedTarget => ({
  os: '',
  arch: '',
  archVariant: '',
  distros: [],
  ...target,
})

test.each([
  [{}, true],
  [{ os: 'linux', arch: 'amd64' }, true],
  [{ os: 'windows' }, false],
  [{ arch: 'arm64' }, false],
  [{ archVariant: 'v8' }, true],
  [{ distros: [ubuntu] }, true],
  [
    {
      distros: [
        { name: 'debian', version: '' },
        { name: 'ubuntu', version: '' },
      ],
    },
    true,
  ],
  [{ distros: [{ name: 'ubuntu', version: '22.04' }] }, false],
])('%j on linux/amd64 ubuntu 24.04: %s', (target, expected) => {
  expect(matchesTarget(base, supports(target))).toBe(expected)
})

test('distributions need a base that names its own', () => {
  expect(matchesTarget({ os: 'linux', arch: 'amd64' }, supports({ distros: [ubuntu] }))).toBe(false)
  expect(matchesAnyTarget(base, [])).toBe(false)
})

describe('inference', () => {
  const buildpack = (rest: string, api = '0.9') =>
    parseBuildpackDescriptor(`api = "${api}"\n[buildpack]\nid = "a"\nversion = "1"\n${rest}`, { file: 'x' })
  const bionic = '[[stacks]]\nid = "io.buildpacks.stacks.bionic"\n'
  const other = '[[stacks]]\nid = "other"\n'

  test('from stacks', () => {
    const [target] = targetsOfBuildpack(buildpack(bionic), [])
    expect(target).toEqual(
      supports({ os: 'linux', arch: 'amd64', distros: [{ name: 'ubuntu', version: '18.04' }] }),
    )
    expect(targetsOfBuildpack(buildpack(bionic + other), [])).toEqual([])
    expect(targetsOfBuildpack(buildpack(bionic + other, '0.10'), [])).toHaveLength(1)
    expect(targetsOfBuildpack(buildpack('[[stacks]]\nid = "*"'), [])).toEqual([supports({})])
  })

  test('from the bin directory', () => {
    expect(targetsOfBuildpack(buildpack(other), ['build', 'detect'])).toEqual([supports({ os: 'linux' })])
    expect(targetsOfBuildpack(buildpack(''), [])).toEqual([])
    const extension = parseExtensionDescriptor('[extension]\nid = "e"\nversion = "1"', { file: 'x' })
    expect(targetsOfExtension(extension, ['generate'])).toEqual([supports({ os: 'linux' })])
    expect(targetsOfExtension(extension, [])).toEqual([supports({})])
  })

  test('not where targets are named', () => {
    const named = buildpack('[[targets]]\nos = "freebsd"')
    expect(targetsOfBuildpack(named, ['build'])).toEqual([supports({ os: 'freebsd' })])
  })
})

test('os-release', () => {
  expect(distroOfOsRelease('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n')).toEqual(ubuntu)
  expect(distroOfOsRelease("ID='wolfi'\r\n")).toEqual({ name: 'wolfi', version: '' })
  expect(distroOfOsRelease('#ID=x\nVERSION=1\nID\n=\n')).toBeUndefined()
})

test('the target of an image', () => {
  const labels = { 'io.buildpacks.base.distro.name': 'ubuntu', 'io.buildpacks.base.id': 'my-id' }
  expect(
    targetOfImage({ os: 'linux', architecture: 'arm64', variant: 'v8', config: { Labels: labels } }),
  ).toEqual({
    id: 'my-id',
    os: 'linux',
    arch: 'arm64',
    archVariant: 'v8',
    distro: { name: 'ubuntu', version: '' },
  })
  expect(targetOfImage({ os: 'linux', architecture: 'amd64' })).toEqual({ os: 'linux', arch: 'amd64' })
  expect(
    targetOfImage({ os: 'linux', architecture: 'arm64', variant: '', config: { Labels: null } }),
  ).toEqual({ os: 'linux', arch: 'arm64' })
})

test('what the run image leaves open the build image says', () => {
  expect(completeTarget(undefined, { distro: ubuntu, arch: 'amd64' })).toEqual(base)
  const other = { os: 'linux', arch: 'arm64', distro: { name: 'debian', version: '13' } }
  expect(completeTarget(other, { distro: ubuntu, arch: 'amd64' })).toBe(other)
  expect(completeTarget({ os: 'linux', arch: 'arm64' }, { distro: undefined, arch: 'amd64' })).toEqual({
    os: 'linux',
    arch: 'arm64',
  })
})

test('variables', () => {
  expect(targetVariables({ ...base, archVariant: 'v2' })).toEqual({
    CNB_TARGET_OS: 'linux',
    CNB_TARGET_ARCH: 'amd64',
    CNB_TARGET_ARCH_VARIANT: 'v2',
    CNB_TARGET_DISTRO_NAME: 'ubuntu',
    CNB_TARGET_DISTRO_VERSION: '24.04',
  })
  expect(targetVariables({ os: 'linux', arch: 'amd64' })).toEqual({
    CNB_TARGET_OS: 'linux',
    CNB_TARGET_ARCH: 'amd64',
  })
})

test('rebase', () => {
  expect(matchesForRebase(base, base)).toBe(true)
  expect(matchesForRebase(base, { os: 'linux', arch: 'amd64' })).toBe(false)
  expect(matchesForRebase({ os: 'linux', arch: 'amd64' }, base)).toBe(true)
  expect(matchesForRebase({ ...base, arch: 'arm64' }, base)).toBe(false)
  expect(matchesForRebase({ ...base, archVariant: 'v1' }, { ...base, archVariant: 'v2' })).toBe(false)
  expect(matchesForRebase({ ...base, distro: { ...ubuntu, version: '' } }, base)).toBe(true)
})
