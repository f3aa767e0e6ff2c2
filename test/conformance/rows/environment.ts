import type { Context } from '../context.ts'
import { BUILDPACK_APIS, type Check } from '../row.ts'

type Files = Readonly<Record<string, string>>

/**
 * What the second of two buildpacks sees of variables after the first made layers with these files; the value of each
 * variable asked for, or `unset`.
 */
async function seen(
  context: Context,
  files: Files,
  names: readonly string[],
  env: Files = {},
): Promise<string[]> {
  const { buildpack, group, build, place } = context
  const quoted = (text: string) =>
    `$'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`
  const layers = [...new Set(Object.keys(files).map((path) => path.split('/')[0]))]
  const writes = Object.entries(files).map(
    ([path, text]) =>
      `mkdir -p "$(dirname ${path})"; ${path.endsWith('/') ? `mkdir -p ${path}` : `printf %s ${quoted(text)} >${path}`}`,
  )
  const flags = layers.map((layer) => `printf "[types]\\nbuild = true\\nlaunch = true\\n" >${layer}.toml`)
  buildpack('a/one', { build: ['cd "$1"', ...writes, ...flags].join('\n') })
  const print = names.map((name) => `printf '%s\\0' "\${${name}-unset}" >>${place.path('app/seen')}`)
  buildpack('a/two', { build: [`rm -f ${place.path('app/seen')}`, ...print].join('\n') })
  group('a/one', 'a/two')
  const ended = await build([], env)
  context.expect(ended.code).toBe(0)
  return place.read('app/seen').split('\0').slice(0, -1)
}

/** cnb-spec §4.2 to §4.4 */
export const ENVIRONMENT: readonly Check[] = [
  {
    id: 'EN-1',
    title: 'of the lifecycle’s own environment only what is listed reaches a buildpack',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, order, detect, build, expect }) {
      const listed = {
        CNB_STACK_ID: 's',
        HOSTNAME: 'h',
        HOME: '/h',
        HTTPS_PROXY: 'a',
        https_proxy: 'b',
        HTTP_PROXY: 'c',
        http_proxy: 'd',
        NO_PROXY: 'e',
        no_proxy: 'f',
        LD_LIBRARY_PATH: '/l',
        LIBRARY_PATH: '/m',
        CPATH: '/n',
        PKG_CONFIG_PATH: '/p',
      }
      const print = `for n in ${Object.keys(listed).join(' ')}; do echo "$n=\${!n}"; done; env | grep -c "^FOREIGN\\|^CNB_REGISTRY\\|^CNB_LOG\\|^CNB_PLATFORM_API\\|^NODE_"`
      buildpack('a/b', { detect: `${print}; exit 0`, build: `${print}; true` })
      order(['a/b'])
      const env = { ...listed, FOREIGN: '1', CNB_REGISTRY_AUTH: '{}', CNB_LOG_LEVEL: 'debug' }
      const text = `${Object.entries(listed)
        .map(([name, value]) => `${name}=${value}`)
        .join('\n')}\n0\n`
      expect((await detect([], env)).stdout).toContain(text)
      expect((await build([], env)).stdout).toContain(text)
    },
  },
  {
    id: 'EN-2',
    title: 'layers, then the user’s variables unless clear-env, then the operator’s',
    async run(context) {
      const { place, buildpack, group, build, expect, isPlatform } = context
      buildpack('a/one', {
        build:
          'mkdir -p "$1/l/env"; printf layer >"$1/l/env/L"; printf layer >"$1/l/env/U"; printf layer >"$1/l/env/O"; printf "[types]\\nbuild = true\\n" >"$1/l.toml"',
      })
      const print = 'echo "$L $U $O $ONLY"'
      buildpack('a/two', { build: `${print} two` })
      buildpack('a/clear', { toml: 'clear-env = true', build: `${print} clear` })
      place.write('platform/env/U', 'user')
      place.write('platform/env/O', 'user')
      place.write('config/env/O.override', 'operator')
      place.write('config/env/ONLY', 'only')
      group('a/one', 'a/two', 'a/clear')
      const { stdout } = await build()
      const operator = isPlatform('0.11')
      expect(stdout).toContain(operator ? 'layer user operator only two\n' : 'layer user user  two\n')
      expect(stdout).toContain(operator ? 'layer layer operator only clear\n' : 'layer layer layer  clear\n')
    },
  },
  {
    id: 'EN-3',
    title: 'the user’s variables: file name and bytes as they are; path variables are prepended',
    async run(context) {
      const { place, buildpack, group, build, expect, isPlatform } = context
      place.write('platform/env/A', ' value\n\n')
      place.write('platform/env/CPATH', '/user')
      place.write('platform/env/HOME', '/user')
      if (isPlatform('0.12')) place.write('platform/env/B.append', 'x')
      buildpack('a/b', { build: 'printf "<%s>" "$A" "$CPATH" "$HOME"; env | grep -c "^B=" || true' })
      group('a/b')
      const { stdout } = await build([], { CPATH: '/own', HOME: '/own' })
      expect(stdout).toContain('< value\n\n></user:/own></user>0\n')
    },
  },
  {
    id: 'EN-4',
    title: 'the operator’s variables follow the suffixes, and without one are defaults',
    async run(context) {
      const { place, buildpack, group, build, expect, isPlatform } = context
      place.write('platform/env/A', 'user')
      place.write('platform/env/C', 'user')
      place.write('config/env/A', 'operator')
      place.write('config/env/B', 'operator')
      place.write('config/env/C.append', 'operator')
      place.write('config/env/C.delim', '+')
      buildpack('a/b', { build: 'echo "<$A $B $C>"' })
      group('a/b')
      const { stdout } = await build()
      expect(stdout).toContain(isPlatform('0.11') ? '<user operator user+operator>' : '<user  user>')
    },
  },
  {
    id: 'EN-5',
    title: 'clear-env hides the user’s variables, not their files',
    async run({ place, buildpack, group, build, expect }) {
      place.write('platform/env/A', 'user')
      buildpack('a/b', {
        toml: 'clear-env = true',
        build: `echo "<\${A-unset} $(cat "$2/env/A")>"`,
      })
      group('a/b')
      expect((await build()).stdout).toContain('<unset user>')
    },
  },
  {
    id: 'EN-6',
    title: 'the user’s variables are laid over each buildpack anew',
    async run({ place, buildpack, group, build, expect }) {
      place.write('platform/env/CPATH', '/user')
      for (const id of ['a/one', 'a/two']) buildpack(id, { build: 'echo "<$CPATH>"' })
      group('a/one', 'a/two')
      expect((await build()).stdout).toContain('</user>\n</user>\n')
    },
  },
  {
    id: 'EN-7',
    title: 'directories among variables are passed over',
    async run({ place, buildpack, group, build, expect }) {
      place.write('platform/env/DIRECTORY/file', 'x')
      buildpack('a/b', { build: `echo "<\${DIRECTORY-unset}>"` })
      group('a/b')
      expect((await build()).stdout).toContain('<unset>')
    },
  },
  {
    id: 'EV-1',
    title:
      'a variable’s file: its name up to the first dot, then what to do; no suffix overrides, an unknown one is ignored',
    buildpackApis: BUILDPACK_APIS,
    async run(context) {
      const files = { 'l/env/A': 'new', 'l/env/B.override': 'new', 'l/env/C.other': 'x', 'l/env/D.a.b': 'x' }
      const found = await seen(context, files, ['A', 'B', 'C', 'D'])
      context.expect(found).toEqual(['new', 'new', 'unset', 'unset'])
    },
  },
  {
    id: 'EV-2',
    title: 'append and prepend, with the delimiter of the same directory and none where the value was empty',
    buildpackApis: BUILDPACK_APIS,
    async run(context) {
      const files = {
        'a/env/A.append': '1',
        'a/env/A.delim': ',',
        'b/env/A.append': '2',
        'b/env/A.delim': ';',
        'c/env/A.append': '3',
        'a/env/P.prepend': '1',
        'b/env/P.prepend': '2',
        'b/env/P.delim': '**',
      }
      context.expect(await seen(context, files, ['A', 'P'])).toEqual(['1;23', '2**1'])
    },
  },
  {
    id: 'EV-3',
    title: 'a default is for what is unset or empty',
    async run(context) {
      const files = {
        'a/env/A': 'first',
        'a/env/B': '',
        'b/env/A.default': 'x',
        'b/env/B.default': 'filled',
        'b/env/C.default': 'c',
      }
      context.expect(await seen(context, files, ['A', 'B', 'C'])).toEqual(['first', 'filled', 'c'])
    },
  },
  {
    id: 'EV-4',
    title: 'one layer wholly before the next; env before env.build; within one directory by file name',
    async run(context) {
      const files = {
        'a/env/A.append': 'env',
        'a/env.build/A.append': 'build',
        'b/env/A.append': 'later',
        'a/env.launch/A.append': 'launch',
        'a/env/B': 'bare',
        'a/env/B.append': '+append',
        'a/env/B.default': 'default',
        'a/env/B.prepend': 'prepend+',
      }
      const found = await seen(context, files, ['A', 'B'])
      context.expect(found).toEqual(['envbuildlater', 'prepend+bare+append'])
    },
  },
  {
    id: 'EV-5',
    title:
      'across layers: append leaves the first in front, prepend the last, override keeps the last, default the first',
    async run(context) {
      const files = Object.fromEntries(
        ['a', 'b'].flatMap((layer) =>
          ['append', 'prepend', 'override', 'default'].map((action) => [
            `${layer}/env/V${action}.${action}`,
            layer,
          ]),
        ),
      )
      const found = await seen(context, files, ['Vappend', 'Vprepend', 'Voverride', 'Vdefault'])
      context.expect(found).toEqual(['ab', 'ba', 'b', 'a'])
    },
  },
  {
    id: 'EV-6',
    title: 'no shell evaluates a value, and no line feed is trimmed',
    async run(context) {
      const value = ' $HOME `id`=1\n\n'
      context.expect(await seen(context, { 'l/env/A': value }, ['A'])).toEqual([value])
    },
  },
  {
    id: 'PX-1',
    title: 'bin, lib, include and pkgconfig of a layer are prepended to their variables, later layers first',
    async run(context) {
      const files = { 'a/bin/': '', 'b/bin/': '', 'a/lib/': '', 'a/include/': '', 'a/pkgconfig/': '' }
      const names = ['PATH', 'LD_LIBRARY_PATH', 'LIBRARY_PATH', 'CPATH', 'PKG_CONFIG_PATH']
      const found = await seen(context, files, names, { PATH: '/usr/bin:/bin', CPATH: '/own' })
      const at = (path: string) => context.place.path('layers/a_one', path)
      context
        .expect(found)
        .toEqual([
          `${at('b/bin')}:${at('a/bin')}:/usr/bin:/bin`,
          at('a/lib'),
          at('a/lib'),
          `${at('a/include')}:/own`,
          at('a/pkgconfig'),
        ])
    },
  },
  {
    id: 'PX-2',
    title: 'in a build a layer’s directories come before its variables',
    async run(context) {
      const files = { 'l/include/': '', 'l/env/CPATH.append': ':appended' }
      const include = context.place.path('layers/a_one/l/include')
      context.expect(await seen(context, files, ['CPATH'])).toEqual([`${include}:appended`])
    },
  },
  {
    id: 'PX-3',
    title: 'only build layers count, and not for the buildpack that made them',
    buildpackApis: BUILDPACK_APIS,
    async run({ buildpack, group, build, expect }) {
      buildpack('a/one', {
        build:
          'cd "$1"; for n in b c l; do mkdir -p $n/env; printf yes >$n/env/$n; done; printf "[types]\\nbuild = true\\n" >b.toml; printf "[types]\\ncache = true\\n" >c.toml; printf "[types]\\nlaunch = true\\n" >l.toml; echo "<$b$c$l>"',
      })
      buildpack('a/two', { build: `echo "<\${b-no} \${c-no} \${l-no}>"` })
      group('a/one', 'a/two')
      expect((await build()).stdout).toContain('<>\n<yes no no>\n')
    },
  },
]
