import { type ApiVersion, isAtLeast } from '../api-version.ts'
import type { Reader } from '../decode.ts'
import type { BuildpackId } from '../names.ts'
import { struct, writeToml } from '../toml/write.ts'
import { type BomEntry, readBom } from './bom.ts'
import { type DeclaredProcess, readPlace } from './process.ts'
import { type FileSource, optional, readDocument, someOrAbsent } from './source.ts'

export interface Label {
  readonly key: string
  readonly value: string
}

/** Paths or globs, relative to the app directory, whose files get a layer of their own. */
export interface Slice {
  readonly paths: readonly string[]
}

/** launch.toml (buildpack spec): what a buildpack wants in the image. */
export interface Launch {
  readonly processes: readonly DeclaredProcess[]
  readonly labels: readonly Label[]
  readonly slices: readonly Slice[]
  readonly bom: readonly BomEntry[]
  /** For people: what was ignored. */
  readonly warnings: readonly string[]
}

export interface LaunchSource extends FileSource {
  readonly buildpackApi: ApiVersion
  /** The buildpack that wrote it. */
  readonly buildpackId: BuildpackId
}

/**
 * Reads launch.toml as the buildpack's API has it (cnb-spec PR-1 to PR-5): a command is a string before 0.9 and an
 * array from then on, where `direct` is an error; `working-dir` counts from 0.8 on.
 * @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID`; two default processes are one.
 */
export function parseLaunch(text: string, source: LaunchSource): Launch {
  const document = readDocument(text, source)
  const warnings: string[] = []
  const processes = document.tables('processes').map((table) => readDeclared(table, source, warnings))
  if (processes.filter((process) => process.default).length > 1) {
    throw document.invalid('processes', "multiple default process types aren't allowed")
  }
  return {
    processes,
    labels: readLabels(document),
    slices: readSlices(document),
    bom: readBom(document),
    warnings,
  }
}

function readDeclared(table: Reader, source: LaunchSource, warnings: string[]): DeclaredProcess {
  const hasArrays = isAtLeast(source.buildpackApi, '0.9')
  if (hasArrays && table.has('direct')) {
    throw table.invalid('direct', 'process.direct is not supported on this buildpack version')
  }
  const type = table.text('type')
  const place = readPlace(table)
  const isIgnored = place.workingDirectory !== undefined && !isAtLeast(source.buildpackApi, '0.8')
  if (isIgnored) {
    warnings.push(
      `Warning: process working directory isn't supported in this buildpack api version. Ignoring working directory for process '${type}'`,
    )
  }
  const { workingDirectory: _, ...elsewhere } = place
  return {
    type,
    command: hasArrays ? (table.strings('command') ?? missing(table)) : [table.string('command')],
    ...optional('args', table.strings('args')),
    direct: hasArrays || table.flag('direct'),
    default: table.flag('default'),
    buildpackId: source.buildpackId,
    ...(isIgnored ? elsewhere : place),
  }
}

function missing(table: Reader): never {
  throw table.invalid('command', 'expected an array of strings, found nothing')
}

/** Writes launch.toml for a buildpack of API 0.9 or later, where every process is direct. */
export function writeLaunch(launch: Omit<Launch, 'warnings' | 'bom'>): string {
  return writeToml(
    struct({
      labels: someOrAbsent(launch.labels.map(({ key, value }) => struct({ key, value }))),
      processes: someOrAbsent(
        launch.processes.map((process) =>
          struct({
            type: process.type,
            command: process.command,
            args: process.args,
            default: process.default || undefined,
            'working-dir': process.workingDirectory,
            'exec-env': process.execEnv,
          }),
        ),
      ),
      slices: someOrAbsent(launch.slices.map(({ paths }) => struct({ paths }))),
    }),
  )
}

export function readLabels(document: Reader): readonly Label[] {
  return document.tables('labels').map((label) => ({ key: label.text('key'), value: label.text('value') }))
}

export function readSlices(document: Reader): readonly Slice[] {
  return document.tables('slices').map((slice) => ({ paths: slice.strings('paths') ?? [] }))
}
