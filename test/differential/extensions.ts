import { createHttpClient } from '../../core/http/index.ts'
import type { ExtensionParts, TestPlace } from '../../lifecycle/commands/testing/lifecycle.ts'
import { extendRunImage } from '../../lifecycle/phases/export/testing/extender.ts'
import { readImage } from '../../oci/read-image.ts'
import { parseReference } from '../../oci/reference.ts'
import { createRegistry } from '../../oci/registry/index.ts'
import type { World } from './world.ts'

/** Image extensions in bash, and what they are given; the registry's address is in $REGISTRY. */

const SEE = `echo "arguments: $#"; env | LC_ALL=C sort | grep -vE '^(_|SHLVL|PWD|OLDPWD|CNB_OUTPUT_DIR)='; echo "\${CNB_OUTPUT_DIR##*/}"; pwd; cat "$CNB_BP_PLAN_PATH"`
const PROVIDES = (name: string) => `[[provides]]\nname = "${name}"\n`
const write = (file: string, ...lines: readonly string[]) =>
  `cat >"$CNB_OUTPUT_DIR/${file}" <<'END'\n${lines.join('\n')}\nEND`
const BASE = 'FROM $' + '{base_image}'

const app = {
  detect: `printf '[[requires]]\\nname = "curl"\\n[[requires]]\\nname = "curl"\\n[requires.metadata]\\nversion = "8"\\n[[requires]]\\nname = "base"\\n[[requires]]\\nname = "ready"\\n[[requires]]\\nname = "own"\\n[[provides]]\\nname = "own"\\n' >"$CNB_BUILD_PLAN_PATH"`,
  build: `${SEE}\numask 022; printf '[[processes]]\\ntype = "web"\\ncommand = ["web"]\\n' >"$CNB_LAYERS_DIR/launch.toml"`,
}

const order = (...extensions: readonly string[]) =>
  `[[order]]\n[[order.group]]\nid = "a/app"\nversion = "1.0.0"\n[[order-extensions]]\n${extensions
    .map((id) => `[[order-extensions.group]]\nid = "${id}"\nversion = "1.0.0"\n`)
    .join('')}`

const FILES = {
  'app/file': '',
  'platform/env/FROM_USER': 'user',
  'config/env/FROM_OPERATOR': 'operator',
  'project.toml': '',
  'run.toml': '[[images]]\nimage = "registry.test/run"\n',
  'stack.toml': '[run-image]\nimage = "registry.test/run"\n',
}

const ready: ExtensionParts = {
  plan: PROVIDES('ready'),
  generated: { 'build.Dockerfile': `ARG base_image\n${BASE}\nRUN ready\n`, 'extend-config.toml': '' },
}

/** Adds to the build image, advises itself badly, and switches the run image after another wanted to add to it. */
export const SWITCHING: World = {
  order: order('x/none', 'x/curl', 'x/base', 'x/ready'),
  buildpacks: { 'a/app': app },
  extensions: {
    'x/none': { plan: PROVIDES('what nobody wants') },
    'x/curl': {
      toml: 'clear-env = true\nhomepage = "https://curl.test"\n',
      detect: `printf '${PROVIDES('nothing').replaceAll('\n', '\\n')}[[or]]\\n[[or.provides]]\\nname = "curl"\\n' >"$CNB_BUILD_PLAN_PATH"`,
      generate: [
        SEE,
        write('build.Dockerfile', 'ARG base_image', BASE, 'EXPOSE 80', 'RUN <<EOF', 'FROM nothing', 'EOF'),
        write('run.Dockerfile', 'ARG base_image', BASE, 'RUN x'),
        write('extend-config.toml', '[[build.args]]', 'name = "a"', 'value = "b"'),
        'mkdir "$CNB_OUTPUT_DIR/context"; echo file >"$CNB_OUTPUT_DIR/context/file"',
      ].join('\n'),
    },
    'x/base': {
      api: '0.9',
      plan: PROVIDES('base'),
      generate: `${SEE}\necho "FROM $REGISTRY/run:other" >"$CNB_OUTPUT_DIR/run.Dockerfile"`,
    },
    'x/ready': ready,
  },
  files: FILES,
}

const only = (generate: string): World => ({
  order: order('x/only'),
  buildpacks: { 'a/app': { ...app, detect: `printf '[[requires]]\\nname = "x"\\n' >"$2"` } },
  extensions: { 'x/only': { plan: PROVIDES('x'), generate } },
  files: FILES,
})

/** Adds to the run image. */
export const ADDING = only(write('run.Dockerfile', 'ARG base_image', BASE, 'RUN x'))

/** What goes wrong, by the name of its record. */
export const FAILING_EXTENSIONS: Readonly<Record<string, World>> = {
  'generate-fails': only('echo before; exit 3'),
  'generate-unknown-instruction': only(write('run.Dockerfile', 'FROM x', 'CAT y')),
  'generate-build-switches': only(write('build.Dockerfile', 'ARG base_image', 'FROM x')),
  'generate-two-stages': only(write('run.Dockerfile', 'FROM x', 'FROM y')),
  'generate-reserved-argument': only(write('extend-config.toml', '[[run.args]]', 'name = "user_id"')),
  'generate-two-contexts': only('mkdir "$CNB_OUTPUT_DIR/context" "$CNB_OUTPUT_DIR/context.run"'),
}

/** The address of the registry for bin/generate. */
export function tellRegistry(place: TestPlace, registry: string): void {
  place.write('platform/env/REGISTRY', registry)
}

/** What an extender would do after the detector: one more layer on the run image. */
export async function extend(place: TestPlace, registry: string): Promise<void> {
  const http = createHttpClient({})
  try {
    const reference = parseReference(`${registry}/run:base`)
    const base = await readImage(createRegistry({ http }).repository(reference), 'base')
    if (base === undefined) throw new Error('there is no run image')
    const entries = [
      { type: 'directory', name: 'opt/', mode: 0o755, uid: 0, gid: 0, mtime: 1_700_000_000 },
      { type: 'symlink', name: 'opt/x', linkname: 'y', mode: 0o777, uid: 1, gid: 2, mtime: 1_700_000_000 },
    ] as const
    const createdBy = "Layer: 'RUN x', Created by extension: x/only"
    await extendRunImage(place.path('layers/extended'), base, [{ createdBy, entries }], {
      User: '7',
      Env: ['PATH=/opt', 'ADDED=yes'],
      Labels: { 'io.buildpacks.rebasable': 'false' },
    })
  } finally {
    await http.close()
  }
}
