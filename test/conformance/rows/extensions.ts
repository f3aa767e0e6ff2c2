import { existsSync, readdirSync } from 'node:fs'
import type { Check } from '../row.ts'
import {
  BASE,
  build,
  detect,
  EXTENSION_APIS,
  generated,
  generating,
  known,
  output,
  provides,
  run,
  WITH_EXTENSIONS,
  wanted,
} from './extending.ts'

/** Image extensions in detection, and what they generate: cnb-spec §8.1, §8.2, and what other sections say of them. */
export const EXTENSIONS: readonly Check[] = [
  {
    id: 'V-40',
    title: 'an experimental feature is refused with 1, warned of or silent, as CNB_EXPERIMENTAL_MODE says',
    platformApis: ['0.10', '0.11', '0.12'],
    async run(context) {
      wanted(context, { 'x/y': { generate: '' } })
      const requested = "Platform requested experimental feature 'Dockerfiles'"
      for (const mode of ['', 'error']) {
        const { code, stdout } = await detect(context, [], { CNB_EXPERIMENTAL_MODE: mode })
        context.expect(stdout).toContain(`ERROR: ${requested}`)
        context.expect(stdout).toContain('experimental features are disabled by CNB_EXPERIMENTAL_MODE=error')
        context.expect(code).toBe(1)
      }
      for (const [mode, isTold] of [
        ['warn', true],
        ['odd', true],
        ['quiet', false],
        ['silent', false],
      ] as const) {
        const { code, stdout } = await detect(context, [], { CNB_EXPERIMENTAL_MODE: mode })
        context.expect(stdout.includes(`Warning: ${requested}`)).toBe(isTold)
        context.expect(code).toBe(0)
      }
    },
  },
  {
    id: 'V-41',
    title: 'extensions are experimental before P 0.13, OCI layouts from P 0.12 on',
    platformApis: ['0.10', '0.12', '0.13', '0.15'],
    async run(context) {
      const { isPlatform, place, expect, analyze, images } = context
      wanted(context, { 'x/y': { generate: '' } })
      expect((await detect(context, [], { CNB_EXPERIMENTAL_MODE: '' })).code).toBe(isPlatform('0.13') ? 0 : 1)
      if (!isPlatform('0.12')) return
      const layout = ['-layout', '-layout-dir', place.path('images'), '-run-image', 'run']
      const { code, stdout } = await analyze([...layout, `${images}/app`])
      expect(stdout).toContain("Platform requested experimental feature 'export to OCI layout format'")
      expect(code).toBe(1)
    },
  },
  {
    id: 'V-21',
    title: 'an extension of an unsupported Buildpack API ends the detector with 12, before anything runs',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      wanted(context, { 'x/y': { api: '0.1', generate: '' } })
      const { code, stdout } = await detect(context)
      context.expect(stdout).toContain("buildpack API version '0.1' is incompatible with the lifecycle")
      context.expect(code).toBe(12)
    },
  },
  {
    id: 'CR-4',
    title: 'the creator does not extend: a detected group with extensions is 22, one without is not',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { create, place, images, expect } = context
      const env = { CNB_EXTENSIONS_DIR: place.path('extensions') }
      const image = ['-run-image', await context.runImage(), `${images}/app`]
      wanted(context, { 'x/y': { generate: '' } })
      const refused = await create(image, env)
      expect(refused.stdout).toContain(
        'detected order contains extensions which is not supported by the creator',
      )
      expect(refused.code).toBe(22)
      context.buildpack('a/app', { detect: 'exit 0', build: 'exit 0' })
      expect((await create(image, env)).code).toBe(0)
    },
  },
  {
    id: 'O-2',
    title: 'extensions stand in front of every group; their groups are tried in turn, and none at last',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { place, buildpack, order, expect } = context
      for (const id of ['a', 'b']) buildpack(id, { detect: 'exit 100' })
      order(['a'], ['b'])
      for (const id of ['x', 'y', 'z']) place.extension(id, { detect: 'exit 0' })
      place.orderExtensions(['x', 'y'], ['z'])
      const { stdout } = await detect(context)
      const groups = stdout
        .split('======== Results ========\n')
        .slice(1)
        .map((text) => [...text.matchAll(/^(?:pass|fail|skip): (\w+)@/gm)].map(([, id]) => id).join(''))
      expect(groups).toEqual(['xya', 'za', 'a', 'xyb', 'zb', 'b'])
    },
  },
  {
    id: 'O-5',
    title: 'extensions are always optional, whatever the order says',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { place, buildpack, order, detected, expect } = context
      buildpack('a/app', { detect: 'exit 0' })
      order(['a/app'])
      for (const [id, script] of [
        ['x/no', 'exit 100'],
        ['x/err', 'exit 1'],
      ] as const)
        place.extension(id, { detect: script })
      place.orderExtensions(['x/no', 'x/err'])
      expect((await detect(context)).code).toBe(0)
      expect(detected()).toEqual(['a/app'])
    },
  },
  {
    id: 'IX-1',
    title:
      'the extension order is prepended to every group, its members optional; only those that are needed stay',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { place, detected, expect } = context
      wanted(context, { 'x/one': { generate: '' }, 'x/two': { generate: '' } })
      place.extension('x/three', { plan: provides('what nobody wants') })
      context.order(['a/app'])
      place.orderExtensions(['x/one', 'x/three', 'x/two'])
      const { code, stdout } = await detect(context)
      expect(code).toBe(0)
      expect(stdout).toContain('3 of 4 buildpacks participating\nx/one 1.0.0\nx/two 1.0.0\na/app 1.0.0\n')
      expect(detected()).toEqual(['a/app', 'x/one', 'x/two'])
    },
  },
  {
    id: 'IX-2',
    title: 'an extension without bin/detect passes, with detect/plan.toml as its plan if it has one',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      wanted(context, { 'x/y': { generate: '' } })
      context.expect((await detect(context)).code).toBe(0)
      context.place.extension('x/empty', { generate: 'echo generated' })
      context.place.orderExtensions(['x/empty'])
      context.expect((await detect(context)).code).toBe(0)
    },
  },
  {
    id: 'DT-5',
    title: 'detect/plan.toml that is no TOML, or requires something, is the extension’s error',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      for (const plan of ['[[', '[[requires]]\nname = "x"\n']) {
        wanted(context, { 'x/y': { plan } })
        const { code, stdout } = await detect(context)
        context.expect(stdout).toContain('err:  x/y@1.0.0')
        context.expect([20, 21]).toContain(code)
      }
    },
  },
  {
    id: 'IX-3',
    title: 'bin/detect of an extension gets CNB_EXTENSION_DIR, and what a buildpack gets besides',
    platformApis: WITH_EXTENSIONS,
    buildpackApis: EXTENSION_APIS,
    async run(context) {
      const { place, expect, isBuildpack } = context
      known(place, 'r')
      wanted(context, {
        'x/y': { detect: 'env; echo "$1"; [ "$2" = "$CNB_BUILD_PLAN_PATH" ] && echo same; exit 1' },
      })
      place.write('platform/env/FROM_USER', 'user')
      const { stdout } = await detect(context)
      expect(stdout).toContain(`CNB_EXTENSION_DIR=${place.path('extensions/x_y/1.0.0')}\n`)
      expect(stdout).not.toContain('CNB_BUILDPACK_DIR')
      expect(stdout).toContain('FROM_USER=user\n')
      expect(stdout).toContain(`\n${place.path('platform')}\nsame\n`)
      expect(stdout.includes('CNB_TARGET_DISTRO_NAME=debian')).toBe(isBuildpack('0.10'))
    },
  },
  {
    id: 'IX-4',
    title: 'an extension that requires something, also in an alternative, errs',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      for (const table of ['requires', 'or.requires']) {
        const head = table === 'or.requires' ? '[[or]]\\n' : ''
        wanted(context, { 'x/y': { detect: `printf '${head}[[${table}]]\\nname = "z"\\n' >"$2"` } })
        const { stdout } = await detect(context)
        context.expect(stdout).toContain('extension x/y outputs "requires" which is not allowed')
        context.expect(stdout).toContain('err:  x/y@1.0.0')
      }
    },
  },
  {
    id: 'IX-5',
    title:
      'extensions are in [[group-extensions]] alone, with API and homepage, and as providers say what they are',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      wanted(context, {
        'x/y': { toml: 'homepage = "https://x.test"\n', generate: 'cp ../layers/plan.toml .' },
      })
      context.expect((await detect(context)).code).toBe(0)
      context
        .expect(context.place.read('layers/group.toml'))
        .toBe(
          `[[group]]\n  id = "a/app"\n  version = "1.0.0"\n  api = "${context.buildpackApi}"\n\n[[group-extensions]]\n  id = "x/y"\n  version = "1.0.0"\n  api = "${context.buildpackApi}"\n  homepage = "https://x.test"\n`,
        )
      context.expect(context.place.read('app/plan.toml')).toContain('extension = true')
    },
  },
  {
    id: 'IX-10',
    title: 'bin/generate runs in group order in the app’s directory, asked for what its extension provides',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { place, expect } = context
      const script =
        'echo "$PWD"; [ "$3" = "$CNB_BP_PLAN_PATH" ] && cat "$3"; echo "$2"; [ "$1" = "$CNB_OUTPUT_DIR" ] && echo same'
      wanted(context, { 'x/one': { generate: script }, 'x/two': { generate: script } })
      const { stdout } = await detect(context)
      const said = (id: string) =>
        `${place.path('app')}\n[[entries]]\n  name = "${id}"\n${place.path('platform')}\nsame\n`
      expect(stdout).toContain(said('x/one') + said('x/two'))
    },
  },
  {
    id: 'IX-11',
    title: 'bin/generate gets the variables of its phase; the user’s unless it wants none of them',
    platformApis: WITH_EXTENSIONS,
    buildpackApis: EXTENSION_APIS,
    async run(context) {
      const { place, expect, isBuildpack, isPlatform } = context
      known(place, 'r')
      place.write('platform/env/FROM_USER', 'user')
      place.write('config/env/FROM_OPERATOR', 'operator')
      for (const clearEnv of [true, false]) {
        wanted(context, { 'x/y': { toml: `clear-env = ${clearEnv}\n`, generate: 'env' } })
        const { stdout } = await detect(context, [], { CNB_REGISTRY_AUTH: 'secret', FOREIGN: '1' })
        expect(stdout).toContain(`CNB_EXTENSION_DIR=${place.path('extensions/x_y/1.0.0')}\n`)
        expect(stdout).toContain(`CNB_PLATFORM_DIR=${place.path('platform')}\n`)
        expect(stdout).toMatch(/^CNB_BP_PLAN_PATH=\/.*\/x_y\/plan.toml$/m)
        expect(stdout).toMatch(/^CNB_OUTPUT_DIR=\/.*\/x_y$/m)
        expect(stdout.includes('FROM_USER=user\n')).toBe(!clearEnv)
        expect(stdout.includes('FROM_OPERATOR=operator\n')).toBe(isPlatform('0.11'))
        expect(stdout.includes('CNB_TARGET_DISTRO_VERSION=12\n')).toBe(isBuildpack('0.10'))
        expect(stdout).not.toMatch(/secret|FOREIGN/)
      }
    },
  },
  {
    id: 'IX-12',
    title: 'an extension without bin/generate brings its output ready-made in generate/',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const text = `ARG base_image\n${BASE}\n`
      wanted(context, { 'x/y': { generated: { 'build.Dockerfile': text, 'context/file': 'in it' } } })
      context.expect((await detect(context)).code).toBe(0)
      context.expect(context.place.read(generated(context, 'build', 'x_y'))).toBe(text)
      if (!context.isPlatform('0.13')) return
      context.expect(context.place.read('layers/generated/x_y/context/file')).toBe('in it')
      context
        .expect(existsSync(context.place.path('extensions/x_y/1.0.0/generate/build.Dockerfile')))
        .toBe(true)
    },
  },
  {
    id: 'IX-13',
    title:
      'a bin/generate that fails is 91, anything else about generating is 92; group and plan stand by then',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { place, expect } = context
      const failed = await generating(context, 'echo said; exit 7')
      expect(failed.stdout).toContain(
        'said\nERROR: failed to generate: bin/generate of x/y@1.0.0: exit status 7',
      )
      expect(failed.code).toBe(91)
      expect(place.read('layers/group.toml')).toContain('x/y')
      expect(place.read('layers/plan.toml')).toContain('extension = true')
      place.write('extensions/x_y/1.0.0/bin/generate', 'not a program', 0o755)
      expect((await detect(context)).code).toBe(91)
      expect((await generating(context, 'mkdir "$CNB_OUTPUT_DIR/run.Dockerfile"')).code).toBe(92)
      expect((await generating(context, build('CAT'))).code).toBe(92)
    },
  },
  {
    id: 'IX-14',
    title: 'what an extension provides is not asked of anybody else',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { place, expect } = context
      wanted(context, { 'x/one': { generate: '' }, 'x/two': { generate: 'cat "$3"' } })
      const shared = `${provides('x/one')}${provides('x/two')}${provides('b')}`
      place.extension('x/two', { plan: shared, generate: 'cat "$3"' })
      context.buildpack('a/app', {
        detect: `printf '[[provides]]\\nname = "x/one"\\n[[provides]]\\nname = "own"\\n[[requires]]\\nname = "own"\\n[[requires]]\\nname = "x/one"\\n[[requires]]\\nname = "x/two"\\n[[requires]]\\nname = "b"\\n' >"$2"`,
      })
      const { code, stdout } = await detect(context)
      expect(code).toBe(0)
      expect([...stdout.matchAll(/^ {2}name = "(.*)"$/gm)].map(([, name]) => name).sort()).toEqual([
        'b',
        'x/two',
      ])
      expect(
        [...place.read('layers/plan.toml').matchAll(/name = "(.*)"$/gm)].map(([, name]) => name),
      ).toEqual(['own'])
    },
  },
  {
    id: 'IX-16',
    title: 'Dockerfiles, arguments and contexts stand where the Platform API wants them',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { isPlatform, place, expect } = context
      const script = `${build('ARG base_image', BASE)}${run(BASE)}${output('extend-config.toml', '[[build.args]]', 'name = "a"', 'value = "b"')}mkdir "$CNB_OUTPUT_DIR/context.run"; echo x >"$CNB_OUTPUT_DIR/context.run/file"`
      expect((await generating(context, script)).code).toBe(0)
      const found = readdirSync(place.path('layers/generated'), { recursive: true, encoding: 'utf8' })
      expect(found.filter((name) => /(Dockerfile|toml|\/file)$/.test(name)).sort()).toEqual(
        isPlatform('0.13')
          ? ['build.Dockerfile', 'context.run/file', 'extend-config.toml', 'run.Dockerfile'].map(
              (name) => `x_y/${name}`,
            )
          : [
              'build/x_y/Dockerfile',
              'build/x_y/extend-config.toml',
              'run/x_y/Dockerfile',
              'run/x_y/extend-config.toml',
            ],
      )
    },
  },
  {
    id: 'IX-16',
    title: 'a shared context beside one of an image, and arguments that are the extender’s own, are 92',
    platformApis: WITH_EXTENSIONS,
    async run(context) {
      const { expect } = context
      for (const kind of ['build', 'run']) {
        const contexts = await generating(
          context,
          `mkdir "$CNB_OUTPUT_DIR/context" "$CNB_OUTPUT_DIR/context.${kind}"`,
        )
        expect(contexts.code).toBe(92)
        for (const name of ['build_id', 'user_id', 'group_id']) {
          const ended = await generating(
            context,
            output('extend-config.toml', `[[${kind}.args]]`, `name = "${name}"`),
          )
          expect(ended.stdout).toContain(name)
          expect(ended.code).toBe(92)
        }
      }
      expect((await generating(context, output('extend-config.toml', '[['))).code).toBe(92)
    },
  },
]
