import { type ContainerPath, joinPath } from '../../../core/container-path.ts'
import { SlipwayError } from '../../../core/error.ts'
import type { Emit } from '../../../core/event.ts'
import type { Root } from '../../../core/root.ts'
import type { LayerSource } from '../../../oci/layer-source.ts'
import { entriesLayer, type LayerEntry } from '../../../oci/tar/walk.ts'
import { LAUNCHER_PATH, LIFECYCLE_DIR, PROCESS_DIR } from '../../../spec/environment.ts'
import { EXIT_CODES } from '../../../spec/exit-codes.ts'
import { type Process, processTypeOf } from '../../../spec/files/process.ts'
import type { LauncherMetadata } from '../../../spec/labels/build-metadata.ts'
import { escapeId, fileNameOf, parseBuildpackId } from '../../../spec/names.ts'

/** The launcher that goes into every app image, wherever it comes from: `/cnb/lifecycle` of a container, or Slipway's own. */
export interface Launcher {
  /** The program. */
  readonly program: Uint8Array
  /** For the build metadata label. */
  readonly metadata: LauncherMetadata
  /** SBOM files of the launcher, put into the launch SBOM layer (cnb-spec ES-2, Platform API 0.11). */
  readonly launcherSboms?: readonly SbomFile[]
  /** SBOM files of the lifecycle itself, put beside the build's. */
  readonly lifecycleSboms?: readonly SbomFile[]
  /** SBOM files that should have been there: said when the others are copied. */
  readonly missingSboms?: readonly string[]
}

export interface SbomFile {
  /** Name of the copy: `sbom.cdx.json`, or as found in a directory of the user's. */
  readonly name: string
  readonly bytes: Uint8Array
}

const SBOM_EXTENSIONS = ['sbom.cdx.json', 'sbom.spdx.json', 'sbom.syft.json'] as const

/**
 * Reads a launcher and its SBOM files as they stand in a container with a lifecycle (`-launcher`, `-launcher-sbom`).
 * Missing SBOM files are noted; from a directory of the user's all SBOM files are taken, under their own names.
 * @throws SlipwayError `EXPORT_LAUNCHER_MISSING` (exit 62)
 */
export function readLauncher(
  root: Root,
  from: {
    readonly program: ContainerPath
    readonly sbomDir: ContainerPath
    readonly metadata: LauncherMetadata
  },
): Launcher {
  const program = root.read(from.program)
  if (program === undefined) {
    throw new SlipwayError('EXPORT_LAUNCHER_MISSING', `there is no launcher at ${from.program}`, {
      subject: from.program,
      hint: 'Say where it is with -launcher.',
      class: 'usage',
      exitCode: EXIT_CODES.export,
    })
  }
  const missingSboms: string[] = []
  const own = (component: string) => readOwnSboms(root, component, missingSboms)
  return {
    program,
    metadata: from.metadata,
    lifecycleSboms: own('lifecycle'),
    launcherSboms: from.sbomDir === LIFECYCLE_DIR ? own('launcher') : readGivenSboms(root, from.sbomDir),
    missingSboms,
  }
}

function readOwnSboms(root: Root, component: string, missing: string[]): SbomFile[] {
  return SBOM_EXTENSIONS.flatMap((name) => {
    const bytes = root.read(joinPath(LIFECYCLE_DIR as ContainerPath, `${component}.${name}`))
    if (bytes !== undefined) return [{ name, bytes }]
    missing.push(`${component}.${name}`)
    return []
  })
}

function readGivenSboms(root: Root, directory: ContainerPath): SbomFile[] {
  return root
    .list(directory)
    .filter(({ name }) => SBOM_EXTENSIONS.some((extension) => name.endsWith(extension)))
    .flatMap(({ name }) => {
      const bytes = root.read(joinPath(directory, name))
      return bytes === undefined ? [] : [{ name, bytes }]
    })
}

/** ES-2: the SBOMs of lifecycle and launcher as if a buildpack `buildpacksio/lifecycle` had written them. */
export function copyLauncherSboms(
  root: Root,
  layersDir: ContainerPath,
  launcher: Launcher,
  emit: Emit,
): void {
  for (const name of launcher.missingSboms ?? [])
    emit({ type: 'warning', message: `Did not find SBOM ${name} in ${LIFECYCLE_DIR}` })
  const name = escapeId(parseBuildpackId('buildpacksio/lifecycle'))
  const copies: [ContainerPath, readonly SbomFile[]][] = [
    [joinPath(layersDir, 'sbom/build', name), launcher.lifecycleSboms ?? []],
    [joinPath(layersDir, 'sbom/launch', name, 'launcher'), launcher.launcherSboms ?? []],
  ]
  for (const [directory, files] of copies) {
    for (const file of files) root.write(joinPath(directory, file.name), file.bytes)
  }
}

const OF_ROOT = { uid: 0, gid: 0, mode: 0o755 } as const

/** TR-4 */
export function launcherLayer(launcher: Launcher): LayerSource {
  return entriesLayer([
    { type: 'directory', name: '/cnb', ...OF_ROOT },
    { type: 'directory', name: LIFECYCLE_DIR, ...OF_ROOT },
    { type: 'file', name: LAUNCHER_PATH, ...OF_ROOT, content: launcher.program },
  ])
}

/**
 * TR-5: a link to the launcher for each process, in their order in metadata.toml, which is by type.
 * @throws SlipwayError `SPEC_NAME_INVALID` for a type that cannot be a file
 */
export function processTypesLayer(processes: readonly Process[]): LayerSource {
  const links = processes.map(
    (process): LayerEntry => ({
      type: 'symlink',
      name: `${PROCESS_DIR}/${fileNameOf(processTypeOf(process))}`,
      linkname: LAUNCHER_PATH,
      ...OF_ROOT,
    }),
  )
  return entriesLayer([
    { type: 'directory', name: '/cnb', ...OF_ROOT },
    { type: 'directory', name: PROCESS_DIR, ...OF_ROOT },
    ...links,
  ])
}
