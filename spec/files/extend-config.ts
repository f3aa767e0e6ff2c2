import type { Reader } from '../decode.ts'
import { struct, writeToml } from '../toml/write.ts'
import { type FileSource, readDocument } from './source.ts'

export interface ExtendArg {
  readonly name: string
  readonly value: string
}

/** extend-config.toml (cnb-spec IX-16): build arguments that an extension's Dockerfiles get. */
export interface ExtendConfig {
  readonly build: readonly ExtendArg[]
  readonly run: readonly ExtendArg[]
}

/** Arguments that the extender gives itself (cnb-spec IX-52). */
const RESERVED_ARGS = new Set(['build_id', 'user_id', 'group_id'])

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` also for reserved names */
export function parseExtendConfig(text: string, source: FileSource): ExtendConfig {
  const document = readDocument(text, source)
  return { build: readArgs(document.table('build')), run: readArgs(document.table('run')) }
}

export function writeExtendConfig(config: ExtendConfig): string {
  const args = (list: readonly ExtendArg[]) =>
    list.length === 0 ? undefined : struct({ args: list.map(({ name, value }) => struct({ name, value })) })
  return writeToml(struct({ build: args(config.build), run: args(config.run) }))
}

function readArgs(table: Reader | undefined): readonly ExtendArg[] {
  return (table?.tables('args') ?? []).map((arg) => {
    const name = arg.string('name')
    if (RESERVED_ARGS.has(name)) throw arg.invalid('name', `build arg '${name}' is reserved`)
    return { name, value: arg.text('value') }
  })
}
