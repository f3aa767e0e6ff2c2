import type { ImageConfig } from '../../../oci/image.ts'
import type { Context } from '../context.ts'

export interface Prepared {
  /** More of metadata.toml, behind its buildpack. */
  readonly metadata?: string
  /** Types of the launched process and what else stands in its table. */
  readonly processes?: readonly string[]
  readonly defaultType?: string
  readonly runConfig?: ImageConfig['config']
}

/** What the exporter finds after a build of the buildpack a/b: group, metadata, analyzed run image, an app of one file. */
export async function prepare(context: Context, prepared: Prepared = {}): Promise<void> {
  const { place, group, buildpackApi } = context
  const { processes = ['web'], defaultType, metadata = '', runConfig } = prepared
  group('a/b')
  const process_ = (type: string) =>
    `[[processes]]\ntype = "${type}"\ncommand = ["run"]\nargs = ["x"]\ndirect = true\nbuildpack-id = "a/b"\n`
  const chosen = defaultType === undefined ? '' : `buildpack-default-process-type = "${defaultType}"\n`
  place.write(
    'layers/config/metadata.toml',
    `${chosen}[[buildpacks]]\nid = "a/b"\nversion = "1.0.0"\napi = "${buildpackApi}"\n${processes.map(process_).join('')}${metadata}`,
  )
  place.write('app/server.js', 'listen()\n')
  await context.analyzed(await context.runImage('run', runConfig))
}

/** A layer of a/b with one file. */
export function layer(
  context: Context,
  name: string,
  types: string,
  content: string | undefined = name,
): void {
  context.place.write(`layers/a_b/${name}.toml`, `[types]\n${types}\n[metadata]\nv = 1\n`)
  if (content !== '') context.place.write(`layers/a_b/${name}/file`, content ?? '')
}
