import { existsSync } from 'node:fs'
import { type Check, platformsFrom } from '../row.ts'
import {
  BASE,
  build,
  chosen,
  detect,
  generated,
  generating,
  known,
  run,
  WITH_EXTENSIONS,
  wanted,
} from './extending.ts'

/** cnb-spec §8.3, §8.4 */
export const DOCKERFILES: readonly Check[] = [
  {
    id: 'IX-20',
    title: 'build.Dockerfile begins with ARG base_image and FROM it, and has one stage',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { expect } = context
      expect((await generating(context, build('ARG base_image', '# and', BASE, 'RUN x'))).code).toBe(0)
      for (const lines of [
        [BASE],
        ['ARG other', BASE],
        ['ARG base_image', 'ARG other', BASE],
        ['ARG base_image', 'FROM some/image'],
        ['ARG base_image', BASE, 'FROM some/image'],
      ]) {
        const { code, stdout } = await generating(context, build(...lines))
        expect(stdout).toContain('failed to parse build.Dockerfile for extension x/y')
        expect(code).toBe(92)
      }
    },
  },
  {
    id: 'IX-21',
    title: 'run.Dockerfile has one stage, on the base image or on another by its name',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { expect } = context
      for (const lines of [
        ['ARG base_image', BASE, 'RUN x'],
        ['FROM some/image'],
        ['FROM some/image', 'RUN x'],
      ])
        expect((await generating(context, run(...lines))).code).toBe(0)
      for (const lines of [['FROM a', 'FROM b'], ['RUN x'], ['ARG base_image'], ['FROM'], ['']])
        expect((await generating(context, run(...lines))).code).toBe(92)
    },
  },
  {
    id: 'IX-22',
    title: 'instructions that an extension should not use are warned of',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const good = [
        'ADD a b',
        'ARG a',
        'COPY a b',
        'ENV a=b',
        'LABEL a=b',
        'RUN a',
        'SHELL ["a"]',
        'USER a',
        'WORKDIR /a',
      ]
      const fine = await generating(context, run(BASE, ...good) + build('ARG base_image', BASE, ...good))
      context.expect(fine.stdout).not.toContain('not recommended')
      const { code, stdout } = await generating(
        context,
        run(BASE, 'EXPOSE 80') + build('ARG base_image', BASE, '', 'CMD x'),
      )
      context.expect(stdout).toContain('Warning: run.Dockerfile command EXPOSE on line 2 is not recommended')
      context.expect(stdout).toContain('Warning: build.Dockerfile command CMD on line 4 is not recommended')
      context.expect(code).toBe(0)
    },
  },
  {
    id: 'IX-30',
    title: 'the last run.Dockerfile that switches sets the run image; those before it are put aside',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { place, expect } = context
      known(place, 'first/run')
      wanted(context, {
        'x/one': { generate: run('FROM one/run') },
        'x/two': { generate: run('FROM two/run') },
        'x/three': { generate: run(BASE) },
        'x/four': { generate: build('ARG base_image', BASE) },
      })
      expect((await detect(context)).code).toBe(0)
      expect(chosen(place)).toContain('image = "two/run"')
      const state = (id: string) =>
        ['', '.ignore'].map((suffix) => existsSync(place.path(generated(context, 'run', id) + suffix)))
      expect(state('x_one')).toEqual([false, true])
      expect(state('x_two')).toEqual([true, false])
      expect(state('x_three')).toEqual([true, false])
      // In the same directory nothing of that counts any more.
      wanted(context, { 'x/one': { generate: run('FROM one/run') }, 'x/two': { generate: run(BASE) } })
      expect((await detect(context)).code).toBe(0)
      expect(state('x_one')).toEqual([true, false])
      expect(state('x_two')).toEqual([true, false])
    },
  },
  {
    id: 'IX-31',
    title: 'the run image is to be extended where a run.Dockerfile that counts has more than FROM',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { place, expect } = context
      const extend = async (first: string, second: string) => {
        known(place, 'first/run')
        wanted(context, { 'x/one': { generate: first }, 'x/two': { generate: second } })
        expect((await detect(context)).code).toBe(0)
        return chosen(place).includes('extend = true')
      }
      expect(await extend(run(BASE, 'RUN x'), run(BASE))).toBe(true)
      expect(await extend(run(BASE, 'RUN x'), run('FROM two/run'))).toBe(false)
      expect(await extend(run(BASE), run('FROM two/run', 'RUN x'))).toBe(true)
      expect(await extend(run(BASE), build('ARG base_image', BASE, 'RUN x'))).toBe(false)
    },
  },
  {
    id: 'IX-32',
    title: 'without a switch the run image stays, with its target',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { place, expect } = context
      known(place, 'first/run')
      expect((await generating(context, run(BASE, 'RUN x'))).code).toBe(0)
      expect(chosen(place)).toMatch(
        /reference = "first\/run"\n {2}image = "first\/run"\n {2}extend = true\n {2}\[run-image.target\]/,
      )
    },
  },
  {
    id: 'IX-33',
    title: 'a switch names the new image as it was written and forgets the old target',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { place, expect } = context
      known(place, 'first/run')
      expect((await generating(context, run('FROM first/run'))).code).toBe(0)
      expect(chosen(place)).toContain('[run-image.target]')
      expect((await generating(context, run('FROM docker.io/first/run', 'RUN x'))).code).toBe(0)
      expect(chosen(place)).toBe(
        '  reference = "docker.io/first/run"\n  image = "docker.io/first/run"\n  extend = true\n',
      )
    },
  },
  {
    id: 'IX-33',
    title: 'before P 0.12 every switch is one',
    platformApis: ['0.10', '0.11'],
    async run(context) {
      known(context.place, 'first/run')
      context.expect((await generating(context, run('FROM first/run'))).code).toBe(0)
      context.expect(chosen(context.place)).not.toContain('[run-image.target]')
    },
  },
  {
    id: 'IX-34',
    title: 'a new run image that run.toml does not know is warned of',
    platformApis: platformsFrom('0.12'),
    async run(context) {
      const { place, expect } = context
      place.write('run.toml', '[[images]]\nimage = "a/run"\nmirrors = ["mirror.test/a/run"]\n')
      const warned = async (base: string) => {
        wanted(context, { 'x/y': { generate: run(`FROM ${base}`) } })
        const { code, stdout } = await detect(context, ['-run', place.path('run.toml')])
        expect(code).toBe(0)
        return stdout.includes(`Warning: new runtime base image '${base}' not found in run metadata`)
      }
      expect(await warned('docker.io/a/run:latest')).toBe(false)
      expect(await warned('mirror.test/a/run')).toBe(false)
      expect(await warned('b/run')).toBe(true)
    },
  },
]
