import { describe, expect, it } from 'vitest'
import { containerPath } from '../../../core/container-path.ts'
import { copyLauncherSboms, readLauncher } from './launcher.ts'
import { workbench } from './testing/workbench.ts'

const FROM = {
  program: containerPath('/cnb/lifecycle/launcher'),
  sbomDir: containerPath('/cnb/lifecycle'),
  metadata: { version: '1', source: { git: { repository: '', commit: '' } } },
}

describe('the launcher of a container', () => {
  it('is read with its SBOMs, and missing ones are warned of', () => {
    const bench = workbench()
    bench.write({
      '/cnb/lifecycle/launcher': 'ELF',
      '/cnb/lifecycle/launcher.sbom.cdx.json': '{"launcher": 1}',
      '/cnb/lifecycle/lifecycle.sbom.spdx.json': '{"lifecycle": 1}',
    })
    const launcher = readLauncher(bench.root, FROM)
    expect(Buffer.from(launcher.program).toString()).toBe('ELF')
    expect(launcher.launcherSboms?.map(({ name }) => name)).toEqual(['sbom.cdx.json'])
    expect(launcher.lifecycleSboms?.map(({ name }) => name)).toEqual(['sbom.spdx.json'])
    copyLauncherSboms(bench.root, containerPath('/layers'), launcher, bench.context().emit)
    expect(bench.seen('warning').map(({ message }) => message)).toEqual([
      'Did not find SBOM lifecycle.sbom.cdx.json in /cnb/lifecycle',
      'Did not find SBOM lifecycle.sbom.syft.json in /cnb/lifecycle',
      'Did not find SBOM launcher.sbom.spdx.json in /cnb/lifecycle',
      'Did not find SBOM launcher.sbom.syft.json in /cnb/lifecycle',
    ])
  })

  it('has the SBOMs of a directory of the user, under their own names', () => {
    const bench = workbench()
    bench.write({ '/cnb/lifecycle/launcher': '', '/mine/my.sbom.cdx.json': '{}', '/mine/readme': '' })
    const from = { ...FROM, sbomDir: containerPath('/mine') }
    const { launcherSboms } = readLauncher(bench.root, from)
    expect(launcherSboms?.map(({ name }) => name)).toEqual(['my.sbom.cdx.json'])
  })

  it('has to be there', () => {
    const bench = workbench()
    expect(() => readLauncher(bench.root, FROM)).toThrow(
      expect.objectContaining({ code: 'EXPORT_LAUNCHER_MISSING', exitCode: 62 }),
    )
  })
})
