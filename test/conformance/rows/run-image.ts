import { existsSync, rmSync } from 'node:fs'
import { parseReference } from '../../../oci/reference.ts'
import { randomImage } from '../../../oci/testing/index.ts'
import { type Check, platformsFrom } from '../row.ts'
import { prepare } from './exported.ts'

/** cnb-spec §2.2 and §2.4: what analyzer and restorer want of images, and take from them */
export const RUN_IMAGE: readonly Check[] = [
  {
    id: 'A-6',
    title: 'the SBOM layer of the previous image comes back, unless layers are skipped (from P 0.9 on)',
    platformApis: platformsFrom('0.8'),
    async run(context) {
      const { analyze, place, images, expect, isPlatform } = context
      await prepare(context)
      const file = 'layers/sbom/launch/a_b/sbom.cdx.json'
      place.write(file, '{"of":"launch"}')
      expect((await context.export([`${images}/app`])).code).toBe(0)
      const again = async (...flags: string[]) => {
        rmSync(place.path('layers/sbom'), { recursive: true, force: true })
        const ended = await analyze([...flags, '-run-image', `${images}/run:base`, `${images}/app`])
        expect(ended.code).toBe(0)
        return existsSync(place.path(file))
      }
      expect(await again()).toBe(true)
      expect(place.read(file)).toBe('{"of":"launch"}')
      if (isPlatform('0.9')) expect(await again('-skip-layers')).toBe(false)
    },
  },
  {
    id: 'A-8',
    title:
      'a run image that does not say its os is 32 from P 0.12 on; one that is not there is left open, and 3 at export',
    async run(context) {
      const { analyze, images, place, expect, isPlatform } = context
      const reference = parseReference(`${images}/bare:base`)
      const repository = context.registry.repository(reference)
      await randomImage({ repository, platform: { os: '', architecture: 'amd64' }, tags: ['base'] })
      const bare = await analyze(['-run-image', `${images}/bare:base`, `${images}/app`])
      expect(bare.code).toBe(isPlatform('0.12') ? 32 : 0)
      await prepare(context)
      expect((await analyze(['-run-image', `${images}/gone`, `${images}/app`])).code).toBe(0)
      expect(place.read('layers/analyzed.toml')).not.toContain('gone@')
      expect((await context.export([`${images}/app`])).code).toBe(3)
    },
  },
  {
    id: 'R-6',
    title: 'from P 0.14 on a run image of run.toml must still be readable: else 1; another is taken as it is',
    platformApis: platformsFrom('0.13'),
    async run(context) {
      const { restore, guarded, group, place, expect, isPlatform } = context
      group('a/b')
      const selected = `${guarded.host}/run:base`
      const target = '[run-image.target]\nos = "linux"\narch = "amd64"\n'
      const analyzed = `[run-image]\nreference = "${guarded.host}/run@sha256:${'0'.repeat(64)}"\nimage = "${selected}"\n${target}`
      const restored = async (listed: string) => {
        place.write('run.toml', `[[images]]\nimage = "${listed}"\n`)
        place.write('layers/analyzed.toml', analyzed)
        return restore(isPlatform('0.14') ? ['-run', place.path('run.toml')] : [])
      }
      const refused = await restored(selected)
      expect(refused.code).toBe(isPlatform('0.14') ? 1 : 0)
      if (isPlatform('0.14'))
        expect(refused.stdout).toContain(`selected run image '${selected}' is not accessible`)
      expect((await restored('r.example/run')).code).toBe(0)
    },
  },
]
