import type { ExtensionParts } from '../../../lifecycle/commands/testing/lifecycle.ts'
import type { Context } from '../context.ts'
import { BUILDPACK_APIS, isAtLeast, platformsFrom } from '../row.ts'

/** What rows about image extensions have in common. */

export const BASE = 'FROM $' + '{base_image}'
export const EXTENSION_APIS = BUILDPACK_APIS.filter((api) => isAtLeast(api, '0.9'))
export const WITH_EXTENSIONS = platformsFrom('0.10')

export const provides = (name: string) => `[[provides]]\nname = "${name}"\n`
export const requires = (...names: readonly string[]) =>
  `printf '${names.map((name) => `[[requires]]\\nname = "${name}"\\n`).join('')}' >"$2"`
/** A script that writes a file of the output. */
export const output = (file: string, ...lines: readonly string[]) =>
  `cat >"$CNB_OUTPUT_DIR/${file}" <<'END_OF_FILE'\n${lines.join('\n')}\nEND_OF_FILE\n`
export const run = (...lines: readonly string[]) => output('run.Dockerfile', ...lines)
export const build = (...lines: readonly string[]) => output('build.Dockerfile', ...lines)

/** Runs the detector with extensions, as experimental as they may be. */
export const detect = (context: Context, args: readonly string[] = [], env: Record<string, string> = {}) =>
  context.detect(['-extensions', context.place.path('extensions'), ...args], {
    CNB_EXPERIMENTAL_MODE: 'quiet',
    ...env,
  })

/** An app that wants all of some extensions, each of which provides its own ID. */
export function wanted(context: Context, extensions: Readonly<Record<string, ExtensionParts>>): void {
  const { place, buildpack, order, buildpackApi } = context
  const ids = Object.keys(extensions)
  buildpack('a/app', { detect: requires(...ids) })
  order(['a/app'])
  for (const [id, parts] of Object.entries(extensions)) {
    place.extension(id, { api: buildpackApi, plan: provides(id), ...parts })
  }
  place.orderExtensions(ids)
}

/** Detects an app with one extension and a bin/generate. */
export async function generating(context: Context, script: string) {
  wanted(context, { 'x/y': { generate: script } })
  return detect(context)
}

/** Where a Dockerfile of an extension is afterwards. */
export const generated = ({ isPlatform }: Context, kind: string, id: string) =>
  `layers/generated/${isPlatform('0.13') ? `${id}/${kind}.Dockerfile` : `${kind}/${id}/Dockerfile`}`

/** analyzed.toml with a run image of a known target. */
export const known = (place: Context['place'], image: string) =>
  place.write(
    'layers/analyzed.toml',
    `[run-image]\nreference = "${image}"\nimage = "${image}"\n[run-image.target]\nos = "linux"\narch = "amd64"\n[run-image.target.distro]\nname = "debian"\nversion = "12"\n`,
  )

/** The run image that analyzed.toml names. */
export const chosen = (place: Context['place']) =>
  place.read('layers/analyzed.toml').split('[run-image]\n')[1] ?? ''
