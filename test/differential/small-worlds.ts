import type { BuildpackParts } from '../../lifecycle/commands/testing/lifecycle.ts'
import type { World } from './world.ts'

/** Worlds with one thing in each that is to be seen. */

const group = (...ids: readonly string[]) =>
  `[[order]]\n${ids.map((id) => `[[order.group]]\nid = "${id}"\nversion = "1.0.0"\n`).join('')}`

const FILES = {
  'app/changed.txt': 'first this\n',
  'project.toml': '',
  'run.toml': '[[images]]\nimage = "registry.test/run"\n',
  'stack.toml': '[run-image]\nimage = "registry.test/run"\n',
}

const world = (
  buildpacks: Readonly<Record<string, BuildpackParts>>,
  files: Readonly<Record<string, string>> = {},
): World => ({ order: group(...Object.keys(buildpacks)), buildpacks, files: { ...FILES, ...files } })

const launch = (...lines: readonly string[]) =>
  `umask 022\ncat >"$CNB_LAYERS_DIR/launch.toml" <<'END'\n${lines.join('\n')}\nEND`

const process = (type: string, more = '') => `[[processes]]\ntype = "${type}"\ncommand = ["${type}"]\n${more}`

const one: BuildpackParts = {
  detect: 'exit 0',
  build: launch(process('web', 'default = true'), process('worker')),
}

export const ONE = world({ 'a/one': one })
export const NO_PROCESS = world({ 'a/none': { detect: 'exit 0', build: 'echo nothing' } })

/** The second buildpack makes the first one's default process an ordinary one. */
export const TAKEN_BACK = world({
  'a/one': one,
  'a/two': { detect: 'exit 0', build: launch(process('web')) },
})

/** Slices of two buildpacks that meet in the same files, and lead to directories, links and nowhere. */
export const SLICES = world(
  {
    'a/one': {
      detect: 'exit 0',
      build: `mkdir -p empty sub/deep; ln -s sub/file link; ln -s sub to-directory; printf 1 >sub/file; printf 2 >sub/deep/file
${launch(process('web'), '[[slices]]', 'paths = ["sub/f*", "link"]', '[[slices]]', 'paths = ["sub", "empty"]')}`,
    },
    'a/two': {
      detect: 'exit 0',
      build: launch(
        '[[slices]]',
        'paths = ["*"]',
        '[[slices]]',
        'paths = ["to-directory/*", "sub/**", "?ub"]',
      ),
    },
  },
  { 'app/a.txt': 'a', 'app/a-b/c': 'c', 'app/a/b': 'b', 'app/[odd]': 'odd' },
)

/** Says what it finds, and in the second build keeps, changes and leaves out layers. */
export const REUSING = world({
  'a/reusing': {
    toml: 'sbom-formats = ["application/vnd.cyclonedx+json"]\n',
    detect: 'exit 0',
    build: `umask 022
cd "$CNB_LAYERS_DIR"
find . | LC_ALL=C sort
for file in *.toml; do echo "== $file"; cat "$file"; done
layer() { printf "[types]\\n%s\\n[metadata]\\nfor = \\"%s\\"\\n" "$2" "$1" >"$1.toml"; }
full() { layer "$1" "$2"; mkdir -p "$1"; echo "$3" >"$1/file"; echo "{\\"of\\":\\"$1\\"}" >"$1.sbom.cdx.json"; }
launch="launch = true" build="build = true" cache="cache = true"
all="$launch
$build
$cache"
launch_cache="$launch
$cache"
build_cache="$build
$cache"
if [ ! -f store.toml ]; then
  for name in taken-back same new dropped; do full "launch-$name" "$launch" first; done
  for name in same new dropped; do full "all-$name" "$all" first; done
  for name in same new; do full "launch-cache-$name" "$launch_cache" first; done
  for name in same new dropped; do full "build-cache-$name" "$build_cache" first; done
  full cache-same "$cache" first
  full only-build "$build" first
  ln -s file all-same/link; chmod 700 all-same
else
  # Without contents: that of the image before.
  layer launch-same "$launch"
  full launch-new "$launch" second
  layer all-same "$all"
  full all-new "$all" second
  layer launch-cache-same "$launch_cache"
  full launch-cache-new "$launch_cache" second
  layer build-cache-same "$build_cache"
  full build-cache-new "$build_cache" second
  layer cache-same "$cache"
  rm -rf build-cache-dropped* all-dropped*
fi
printf '[metadata]\\nbuilds = "some"\\n' >store.toml
${launch(process('web', 'default = true'))}`,
  },
  'a/other': {
    detect: 'exit 0',
    build: `umask 022; cd "$CNB_LAYERS_DIR"; mkdir kept; echo 1 >kept/file
printf '[types]\\nlaunch = true\\ncache = true\\n' >kept.toml`,
  },
})

const building = (script: string) => world({ 'a/one': { detect: 'exit 0', build: script } })
const detecting = (first: string, second: string): World => ({
  ...world({ 'a/one': { detect: first }, 'a/two': { detect: second } }),
  order: group('a/one') + group('a/two'),
})

/** What goes wrong, by the name of its record. */
export const FAILING: Readonly<Record<string, World>> = {
  'detect-none': detecting('echo looking; exit 100', 'exit 100'),
  'detect-error': detecting('echo oops; exit 7', 'exit 100'),
  'detect-plan-is-no-toml': detecting('echo = >"$2"', 'exit 100'),
  'detect-unmet': detecting(
    `printf '[[requires]]\\nname = "x"\\n' >"$2"`,
    `printf '[[provides]]\\nname = "y"\\n' >"$2"`,
  ),
  'build-fails': building('echo before; exit 3'),
  'build-launch-is-no-toml': building('echo = >"$CNB_LAYERS_DIR/launch.toml"'),
  'build-two-defaults': building(launch(process('a', 'default = true'), process('b', 'default = true'))),
  'build-direct': building(launch(process('a', 'direct = true'))),
  'build-command-text': building(launch('[[processes]]', 'type = "a"', 'command = "a"')),
  'build-types-above': building('echo "launch = true" >"$CNB_LAYERS_DIR/x.toml"'),
  'build-unmet-unknown': building(`printf '[[unmet]]\\nname = "x"\\n' >"$CNB_LAYERS_DIR/build.toml"`),
  'build-sbom-undeclared': building('echo "{}" >"$CNB_LAYERS_DIR/launch.sbom.cdx.json"'),
  'build-sbom-unknown': building('echo "{}" >"$CNB_LAYERS_DIR/launch.sbom.abc.json"'),
  'export-odd-process-type': building(launch(process('a/b'))),
  'export-layer-without-contents': building(`printf '[types]\\nlaunch = true\\n' >"$CNB_LAYERS_DIR/x.toml"`),
  'export-cached-layer-without-contents': building(
    `printf '[types]\\nlaunch = true\\ncache = true\\n' >"$CNB_LAYERS_DIR/x.toml"`,
  ),
}
