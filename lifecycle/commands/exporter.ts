import { parseCompression } from '../../oci/parse-compression.ts'
import { type ApiVersion, isAtLeast } from '../../spec/api-version.ts'
import { ENV } from '../../spec/environment.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { Analyzed } from '../../spec/files/analyzed.ts'
import type { Group } from '../../spec/files/group.ts'
import { parseBuildMetadata } from '../../spec/files/metadata.ts'
import { parseProjectMetadata } from '../../spec/files/project-metadata.ts'
import { type Report, writeReport } from '../../spec/files/report.ts'
import type { Run } from '../../spec/files/run.ts'
import { hasExtendedImage } from '../images/extended-image.ts'
import { readLauncher } from '../phases/export/launcher.ts'
import { type ExportContext, exportImage } from '../phases/export.ts'
import { inStep } from '../phases/steps.ts'
import { checkLayout, openAccess } from './access.ts'
import { warnOfLaunchCache } from './analyzer.ts'
import { type Command, commandProgram, type StepContext } from './command.ts'
import { guardDockerfiles } from './dockerfiles.ts'
import { act, Failure, invalidArguments } from './failure.ts'
import { readAnalyzed, readGroup, readOptional, readRequired, readRun, writeFile } from './files.ts'
import { type FlagName, type Inputs, pathOf, since } from './inputs.ts'
import { requireOneRegistry } from './one-registry.ts'
import { dropPrivileges } from './privileges.ts'
import { openCache, warnOfNoCache } from './restorer.ts'
import { VERSION } from './version.ts'

/** `exporter` (cnb-spec §2.7). */
export const exporter: Command = {
  name: 'exporter',
  phase: 'export',
  flags: exporterFlags,
  run: async (context) => {
    const { inputs, env, positionals, root, say, platformApi } = context
    const [image, ...tags] = positionals
    if (image === undefined) throw invalidArguments('at least one image argument is required')
    if (inputs.runImage !== (env[ENV.runImage] ?? ''))
      throw invalidArguments('-run-image is unsupported', 'resolve inputs')
    if (inputs.deprecatedRunImage !== '') throw invalidArguments('-image is unsupported', 'resolve inputs')
    await requireOneRegistry(positionals, inputs)
    requireCompression(inputs)
    const analyzed = await readAnalyzed(root, inputs.analyzedPath, say)
    warnOfNoCache(context)
    warnOfLaunchCache(context)
    await checkLayout(context)
    say('debug', 'Ensuring privileges...')
    const { previousImage, runImage } = analyzed
    const known = [
      image,
      ...tags,
      previousImage?.reference ?? '',
      runImage?.reference ?? '',
      inputs.cacheImage,
    ]
    await using access = await openAccess(context, known)
    await dropPrivileges(inputs.uid, inputs.gid, [inputs.cacheDir, inputs.launchCacheDir, inputs.layoutDir])
    say('debug', 'Executing command...')
    const group = await readGroup(root, inputs.groupPath)
    // Said here as of the other files; the phase reads it again.
    await readRequired(root, `${inputs.layersDir}/config/metadata.toml`, 'build metadata', parseBuildMetadata)
    const run = await readRun(root, inputs, platformApi, say)
    const cache = await openCache(context, access.cacheImages)
    if (hasExtendedImage(root, pathOf(inputs.extendedDir))) guardDockerfiles(context)
    await runExporter(
      context,
      { names: [image, ...tags], group, analyzed, run },
      { images: access.images, cache },
    )
  },
}

export const run = commandProgram(exporter)

function exporterFlags(platformApi: ApiVersion): readonly FlagName[] {
  return [
    ...since(platformApi, '0.13', 'insecure-registry'),
    ...since(platformApi, '0.12', 'extended', 'layout', 'layout-dir', 'run'),
    ...(isAtLeast(platformApi, '0.12') ? [] : (['stack'] as const)),
    ...since(platformApi, '0.11', 'launcher-sbom'),
    ...(['analyzed', 'app', 'cache-dir', 'cache-image', 'daemon', 'gid', 'group', 'image'] as const),
    ...(['launch-cache', 'launcher', 'layers', 'parallel', 'process-type', 'project-metadata'] as const),
    ...(['compression', 'report', 'run-image', 'uid', 'verify'] as const),
  ]
}

/** Said before anything is done. @throws Failure exit 3 */
export function requireCompression({ compression }: Inputs): void {
  try {
    parseCompression(compression)
  } catch (error) {
    throw new Failure('parse arguments', error)
  }
}

/** Exports image and cache, and writes report.toml. */
export async function runExporter(
  { inputs, root, emit, platformApi }: StepContext,
  given: {
    readonly names: readonly [string, ...string[]]
    readonly group: Group
    readonly analyzed: Analyzed
    readonly run: Run
  },
  {
    images,
    cache,
  }: { readonly images: ExportContext['images']; readonly cache: ExportContext['cache'] | undefined },
): Promise<Report> {
  const project = await act('read project metadata file', () =>
    readOptional(root, inputs.projectMetadataPath, parseProjectMetadata),
  )
  const report = await act(
    'export',
    () =>
      exportImage(
        {
          images: given.names,
          analyzed: given.analyzed,
          group: given.group,
          run: given.run,
          ...(project === undefined ? {} : { project }),
          appDir: pathOf(inputs.appDir),
          layersDir: pathOf(inputs.layersDir),
          extendedDir: pathOf(inputs.extendedDir),
          owner: { uid: inputs.uid, gid: inputs.gid },
          ...(inputs.processType === '' ? {} : { processType: inputs.processType }),
          execEnv: inputs.execEnv,
          verify: inputs.verify,
          compression: parseCompression(inputs.compression),
          launcher: readLauncher(root, {
            program: pathOf(inputs.launcherPath),
            sbomDir: pathOf(inputs.launcherSbomDir),
            metadata: { version: VERSION, source: { git: { repository: '', commit: '' } } },
          }),
          ...(inputs.sourceDateEpoch === '' ? {} : { sourceDateEpoch: inputs.sourceDateEpoch }),
        },
        { root, emit, platformApi, images, ...(cache === undefined ? {} : { cache }) },
      ),
    EXIT_CODES.export,
  )
  await inStep(emit, 'export', 'write report.toml', () =>
    writeFile(root, inputs.reportPath, 'export report', writeReport(report), EXIT_CODES.export),
  )
  return report
}
