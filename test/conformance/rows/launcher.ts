import { BUILDPACKS, helper, layer, processNamed } from '../../../native/testing/launcher-world.ts'
import type { Context } from '../context.ts'
import { type Check, platformsFrom } from '../row.ts'

const lines = (text: string): string[] => text.split('\n').slice(0, -1)

/** What `launcher -- env` gives. */
function environment(context: Context, what: Parameters<Context['launch']>[0]): Record<string, string> {
  const { stdout } = context.launch({ ...what, args: ['--', 'env'] })
  return Object.fromEntries(lines(stdout).map((line) => line.split(/=(.*)/s).slice(0, 2)))
}

/** A process of a buildpack of this API; `command` as its APIs had it. */
const processOf = (api: string, command: string, more = '') =>
  `[[buildpacks]]\nid = "a/b"\nversion = "1"\napi = "${api}"\n[[processes]]\ntype = "web"\ncommand = ${command}\nargs = ["z"]\ndirect = true\nbuildpack-id = "a/b"\n${more}\n`

/** cnb-spec §7 */
export const LAUNCHER: readonly Check[] = [
  {
    id: 'LN-1',
    title: 'the process is the one it is called by, else the caller’s command, else 82',
    async run({ launch, expect }) {
      const direct = { metadata: processOf('0.12', '["printf", "%s\\\\n", "x"]') }
      expect(lines(launch({ ...direct, as: '/cnb/process/web' }).stdout)).toEqual(['x', 'z'])
      expect(launch({ args: ['--', 'echo', '$HOME'] }).stdout).toBe('$HOME\n')
      expect(launch({ args: ['echo "a b" $((1 + 1))'] }).stdout).toBe('a b 2\n')
      const { status, stderr } = launch({})
      expect(stderr).toContain('when there is no default process a command is required')
      expect(status).toBe(82)
    },
  },
  {
    id: 'LN-2',
    title: 'a process must be for the execution environment',
    platformApis: platformsFrom('0.14'),
    async run({ launch, expect, isPlatform }) {
      const metadata = `${BUILDPACKS}${processNamed('web', 'exec-env = ["test"]')}${processNamed('web', 'exec-env = ["production"]').replace('always', 'second')}`
      const first = (env: Record<string, string>) => lines(launch({ as: 'web', metadata, env }).stdout)[0]
      expect(first({})).toBe(isPlatform('0.15') ? 'second' : 'always')
      expect(first({ CNB_EXEC_ENV: 'test' })).toBe('always')
      if (!isPlatform('0.15')) return
      expect(launch({ as: 'web', metadata, env: { CNB_EXEC_ENV: 'other' } }).status).toBe(82)
      const everywhere = `${BUILDPACKS}${processNamed('web', 'exec-env = ["*"]')}`
      expect(launch({ as: 'web', metadata: everywhere, env: { CNB_EXEC_ENV: 'other' } }).status).toBe(0)
    },
  },
  {
    id: 'LN-3',
    title: 'the user’s arguments replace default arguments from P 0.10 and B 0.9 on, else follow them',
    buildpackApis: ['0.7', '0.8', '0.9', '0.10', '0.11', '0.12'],
    async run({ launch, expect, isPlatform, isBuildpack, buildpackApi }) {
      const metadata = processOf(buildpackApi, '["echo"]')
      const isReplaced = isPlatform('0.10') && isBuildpack('0.9')
      expect(launch({ as: 'web', metadata }).stdout).toBe('z\n')
      expect(launch({ as: 'web', metadata, args: ['a', 'b'] }).stdout).toBe(isReplaced ? 'a b\n' : 'z a b\n')
    },
  },
  {
    id: 'LN-3',
    title: 'the words of a command always stand in front: `x y` with args `z` and `a b` runs `x y a b`',
    platformApis: platformsFrom('0.10'),
    async run({ launch, expect }) {
      const metadata = processOf('0.9', '["echo", "y"]')
      expect(launch({ as: 'web', metadata, args: ['a', 'b'] }).stdout).toBe('y a b\n')
      expect(launch({ as: 'web', metadata }).stdout).toBe('y z\n')
    },
  },
  {
    id: 'LN-4',
    title: 'CNB_PROCESS_TYPE is ignored with a warning',
    async run({ launch, expect }) {
      const { stderr, stdout, status } = launch({
        args: ['--', 'echo', 'mine'],
        env: { CNB_PROCESS_TYPE: 'web' },
      })
      expect(stderr).toContain('CNB_PROCESS_TYPE')
      expect([stdout, status]).toEqual(['mine\n', 0])
    },
  },
  {
    id: 'LN-5',
    title: 'a process runs in its working directory or the app’s',
    async run({ launch, expect }) {
      const pwd = (more: string) => {
        const metadata = `${BUILDPACKS}[[processes]]\ntype = "web"\ncommand = ["pwd"]\ndirect = true\nbuildpack-id = "some/buildpack"\n${more}`
        const { stdout, top } = launch({ as: 'web', metadata, files: { 'app/sub/': '' } })
        return stdout.replace(top, 'TOP').trim()
      }
      expect(pwd('')).toBe('TOP/app')
      expect(pwd('working-dir = "sub"')).toBe('TOP/app/sub')
      expect(pwd('working-dir = "/usr"')).toBe('/usr')
    },
  },
  {
    id: 'LE-1',
    title: '`launcher -- env` has neither the launcher’s variables nor its directories in PATH',
    async run(context) {
      const PATH = '/cnb/process:/cnb/lifecycle:/usr/bin:/bin'
      const env = { PATH, CNB_PROCESS_TYPE: 'x', CNB_DEPRECATION_MODE: 'quiet', KEPT: 'a=b' }
      const found = environment(context, { env })
      for (const name of ['CNB_APP_DIR', 'CNB_LAYERS_DIR', 'CNB_PROCESS_TYPE', 'CNB_PLATFORM_API'])
        context.expect(found).not.toHaveProperty(name)
      context.expect(found).not.toHaveProperty('CNB_DEPRECATION_MODE')
      context.expect([found.PATH, found.KEPT]).toEqual(['/usr/bin:/bin', 'a=b'])
    },
  },
  {
    id: 'LE-2',
    title: 'layers in the order of buildpacks and names: directories, env, env.launch, env.launch/<type>',
    async run({ launch, expect }) {
      const files = {
        [layer('bin/', 'older', 'a')]: '',
        [layer('bin/')]: '',
        [layer('env/V.append')]: 'env ',
        [layer('env.launch/V.append')]: 'launch ',
        [layer('env.launch/web/V.append')]: 'web ',
        [layer('env.launch/other/V.append')]: 'other ',
        [layer('env.build/V.append')]: 'build ',
        [layer('env/V.append', 'older', 'a')]: 'later ',
      }
      const metadata = `${BUILDPACKS}[[processes]]\ntype = "web"\ncommand = ["sh", "-c", "echo $V; echo $PATH"]\ndirect = true\nbuildpack-id = "some/buildpack"`
      const { stdout, top } = launch({ as: 'web', metadata, files })
      const [value, path] = lines(stdout.replaceAll(top, 'TOP'))
      expect(value).toBe('env launch web later')
      expect(path).toBe('TOP/layers/older/a/bin:TOP/layers/some_buildpack/layer/bin:/usr/bin:/bin')
      const own = launch({ args: ['--', 'sh', '-c', 'echo $V'], files })
      expect(own.stdout).toBe('env launch later\n')
    },
  },
  {
    id: 'LE-3',
    title: 'the container’s variables are where layers start from: override wins over them, default does not',
    async run(context) {
      const files = { [layer('env/A.default')]: 'layer', [layer('env/B.override')]: 'layer' }
      const found = environment(context, { files, env: { A: 'user', B: 'user' } })
      context.expect([found.A, found.B]).toEqual(['user', 'layer'])
    },
  },
  {
    id: 'LE-4',
    title:
      'exec.d: TOML on descriptor 3 overrides the container, each sees the one before; nonsense or failure ends with 82',
    async run(context) {
      const { expect, launch } = context
      const files = {
        [layer('exec.d/1')]: helper(`echo 'A = "1"' >&3; pwd >&2`),
        [layer('exec.d/2')]: helper(`echo "B = \\"$A$E\\"" >&3`),
        [layer('env/E')]: 'env',
      }
      const found = environment(context, { files, env: { A: 'container' } })
      expect([found.A, found.B]).toEqual(['1', '1env'])
      const typed = { [layer('exec.d/web/1')]: helper(`echo 'A = "web"' >&3`) }
      const metadata = `${BUILDPACKS}[[processes]]\ntype = "web"\ncommand = ["sh", "-c", "echo $A"]\ndirect = true\nbuildpack-id = "some/buildpack"`
      expect(launch({ as: 'web', metadata, files: typed }).stdout).toBe('web\n')
      expect(launch({ args: ['--', 'sh', '-c', 'echo $A.'], files: typed }).stdout).toBe('.\n')
      for (const text of ['exit 3', 'echo "A = = b" >&3', 'echo "A = 1" >&3']) {
        expect(launch({ args: ['--', 'true'], files: { [layer('exec.d/1')]: helper(text) } }).status).toBe(82)
      }
    },
  },
  {
    id: 'LE-5',
    title:
      'profile scripts are sourced by shell processes only, in the app’s directory, its own .profile last',
    async run({ launch, expect }) {
      const files = {
        [layer('profile.d/b')]: 'V="$V b"',
        [layer('profile.d/a')]: 'V="$V a"',
        [layer('profile.d/web/c')]: 'V="$V web"',
        'app/.profile': 'V="$V app"; export V',
      }
      const web = (direct: boolean) =>
        `${BUILDPACKS}[[processes]]\ntype = "web"\ncommand = ["bash", "-c", "echo $V."]\ndirect = ${direct}\nbuildpack-id = "some/buildpack"`
      expect(launch({ as: 'web', metadata: web(true), files }).stdout).toBe('.\n')
      expect(launch({ args: ['echo $V.'], files }).stdout).toBe('a b app.\n')
      const shell = web(false).replace('["bash", "-c", "echo $V."]', '"echo $V."')
      expect(launch({ as: 'web', metadata: shell, files }).stdout).toBe('a b web app.\n')
    },
  },
  {
    id: 'LX-1',
    title: 'the launcher becomes the process: the same process id, and no child',
    async run({ launch, expect }) {
      const direct = launch({ args: ['--', 'sh', '-c', 'echo $$'] })
      expect(Number(direct.stdout)).toBe(direct.pid)
      const shell = launch({ args: ['echo $$'] })
      expect(Number(shell.stdout)).toBe(shell.pid)
    },
  },
  {
    id: 'LX-2',
    title: 'a direct command is found in the final PATH; what is not found or empty ends with 82',
    async run({ launch, expect }) {
      const files = { [layer('bin/mine')]: helper('echo "$1"') }
      expect(launch({ args: ['--', 'mine', 'a b'], files }).stdout).toBe('a b\n')
      expect(launch({ args: ['--', 'no-such-program'] }).status).toBe(82)
      expect(launch({ args: ['--', ''] }).status).toBe(82)
    },
  },
  {
    id: 'LX-3',
    title: 'a shell command is a script alone, and tokens that are evaluated with arguments',
    async run({ launch, expect }) {
      expect(launch({ args: ['for i in 1 2; do echo $i; done'] }).stdout).toBe('1\n2\n')
      const { stdout } = launch({ args: ['printf', '%s,', '$V', 'two words'], env: { V: 'value' } })
      expect(stdout).toBe('value,two words,')
    },
  },
  {
    id: 'LX-4',
    title: 'the exit code is the process’s',
    async run({ launch, expect }) {
      expect(launch({ args: ['--', 'sh', '-c', 'exit 7'] }).status).toBe(7)
      expect(launch({ args: ['exit 81'] }).status).toBe(81)
      expect(launch({ args: ['--', 'sh', '-c', 'kill -9 $$'] }).signal).toBe('SIGKILL')
    },
  },
]
