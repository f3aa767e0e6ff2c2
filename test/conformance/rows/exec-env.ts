import { type Check, platformsFrom } from '../row.ts'

/** cnb-spec §3.3, and what an order says of it */
export const EXEC_ENV: readonly Check[] = [
  {
    id: 'O-8',
    title: 'an entry of an order counts in the execution environments that it lists',
    platformApis: platformsFrom('0.14'),
    async run({ buildpack, detect, detected, place, expect, isPlatform }) {
      for (const id of ['a/test', 'a/any', 'a/plain']) buildpack(id, { detect: 'exit 0' })
      const entry = (id: string, more = '') => `[[order.group]]\nid = "${id}"\nversion = "1.0.0"\n${more}`
      place.write(
        'order.toml',
        `[[order]]\n${entry('a/test', 'exec-env = ["test"]\n')}${entry('a/any', 'exec-env = ["*"]\n')}${entry('a/plain')}`,
      )
      const all = ['a/test', 'a/any', 'a/plain']
      expect((await detect([], { CNB_EXEC_ENV: 'test' })).code).toBe(0)
      expect(detected()).toEqual(all)
      expect((await detect()).code).toBe(0)
      expect(detected()).toEqual(isPlatform('0.15') ? ['a/any', 'a/plain'] : all)
    },
  },
  {
    id: 'X-2',
    title: 'nothing listed, `*` or the environment itself is support; both ways to write it are read',
    platformApis: platformsFrom('0.15'),
    async run({ buildpack, order, detect, detected, expect }) {
      const declared = {
        'a/none': 'exec-env = []',
        'a/any': 'exec-env = ["other", "*"]',
        'a/own': 'exec-env = ["other", "test"]',
        'a/tables': '[[buildpack.exec-env]]\nname = "test"',
        'a/other': 'exec-env = ["other"]',
        'a/production': 'exec-env = ["production"]',
      }
      for (const [id, toml] of Object.entries(declared)) buildpack(id, { toml, detect: 'exit 0' })
      order(Object.keys(declared))
      expect((await detect([], { CNB_EXEC_ENV: 'test' })).code).toBe(0)
      expect(detected()).toEqual(['a/none', 'a/any', 'a/own', 'a/tables'])
      expect((await detect()).code).toBe(0)
      expect(detected()).toEqual(['a/none', 'a/any', 'a/production'])
    },
  },
  {
    id: 'X-3',
    title: 'an environment with a slash is refused: 3',
    platformApis: platformsFrom('0.14'),
    async run({ buildpack, order, detect, expect, isPlatform }) {
      buildpack('a/b', { detect: 'exit 0' })
      order(['a/b'])
      const ended = await detect([], { CNB_EXEC_ENV: '../test' })
      expect(ended.code).toBe(isPlatform('0.15') ? 3 : 0)
      if (isPlatform('0.15'))
        expect(ended.stdout).toContain('CNB_EXEC_ENV must not contain a slash: "../test"')
    },
  },
]
