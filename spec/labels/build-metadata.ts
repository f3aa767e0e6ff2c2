import { goJson } from '../../core/go-json.ts'
import { type ApiVersion, isAtLeast } from '../api-version.ts'
import type { Reader } from '../decode.ts'
import type { BomEntry } from '../files/bom.ts'
import { type GroupElement, readGroupElement } from '../files/group.ts'
import type { BuildMetadata } from '../files/metadata.ts'
import { type Process, processFor, readProcess } from '../files/process.ts'
import { type FileSource, optional, orAbsent, someOrAbsent } from '../files/source.ts'
import { readJson, tomlToJson } from '../json.ts'
import { orNull } from './lifecycle-metadata.ts'

/** Which launcher stands in an image. */
export interface LauncherMetadata {
  readonly version: string
  readonly source: { readonly git: { readonly repository: string; readonly commit: string } }
}

/** Label `io.buildpacks.build.metadata` (cnb-spec §5.6), as far as it is read. */
export interface BuildLabel {
  readonly buildpacks: readonly GroupElement[]
  readonly extensions: readonly GroupElement[]
  readonly processes: readonly Process[]
  readonly defaultProcessType?: string
  readonly launcher: LauncherMetadata
}

/** @throws SlipwayError `SPEC_JSON_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseBuildLabel(text: string, source: FileSource): BuildLabel {
  const document = readJson(text, source)
  return {
    buildpacks: document.tables('buildpacks').map(readGroupElement),
    extensions: document.tables('extensions').map(readGroupElement),
    processes: document.tables('processes').map((table) => readProcess(table, 'buildpackID')),
    ...optional('defaultProcessType', orAbsent(document.text('buildpack-default-process-type'))),
    launcher: readLauncher(document.table('launcher')),
  }
}

/** The label for the metadata that the build phase left, in the form of a Platform API. Processes keep their order. */
export function writeBuildLabel(
  metadata: BuildMetadata,
  options: { readonly platformApi: ApiVersion; readonly launcher: LauncherMetadata },
): string {
  const { platformApi, launcher } = options
  return goJson({
    bom: isAtLeast(platformApi, '0.9') ? undefined : legacyBomJson(metadata.bom ?? []),
    buildpacks: orNull(metadata.buildpacks.map(elementJson)),
    extensions: someOrAbsent(metadata.extensions.map(elementJson)),
    launcher: {
      version: launcher.version,
      source: {
        git: { repository: launcher.source.git.repository, commit: launcher.source.git.commit },
      },
    },
    processes: metadata.processes.map((process) => processJson(process, platformApi)),
    'buildpack-default-process-type': metadata.defaultProcessType,
  })
}

/** The content of `sbom.legacy.json` without the line's end, and `bom` in the label: `null` where there are none. */
export function legacyBomJson(entries: readonly BomEntry[]): unknown {
  return orNull(
    entries.map(({ name, metadata, buildpack }) => ({
      name,
      metadata: metadata === undefined ? null : tomlToJson(metadata),
      buildpack: { id: buildpack?.id ?? '', version: buildpack?.version ?? '' },
    })),
  )
}

function elementJson(element: GroupElement): unknown {
  return { id: element.id, version: element.version, homepage: orAbsent(element.homepage) }
}

function processJson(process: Process, platformApi: ApiVersion): unknown {
  const { type, command, args, direct, buildpackId, workingDirectory, execEnv } = processFor(
    process,
    platformApi,
  )
  return {
    type,
    command: isAtLeast(platformApi, '0.10') ? command : (command[0] ?? ''),
    args: args ?? null,
    direct,
    buildpackID: buildpackId,
    'working-dir': workingDirectory,
    'exec-env': someOrAbsent(execEnv),
  }
}

function readLauncher(table: Reader | undefined): LauncherMetadata {
  const git = table?.table('source')?.table('git')
  return {
    version: table?.text('version') ?? '',
    source: { git: { repository: git?.text('repository') ?? '', commit: git?.text('commit') ?? '' } },
  }
}
