import { type ApiVersion, isAtLeast } from '../../spec/api-version.ts'
import { type Analyzed, writeAnalyzed } from '../../spec/files/analyzed.ts'
import type { Group } from '../../spec/files/group.ts'
import type { Run } from '../../spec/files/run.ts'
import type { Cache } from '../cache/cache.ts'
import type { ImageAccess } from '../context.ts'
import { type KeptLayers, type RestoreContext, restore } from '../phases/restore.ts'
import { KANIKO_DIR } from '../phases/restore-images.ts'
import { inStep } from '../phases/steps.ts'
import { checkLayout, openAccess, usesLayout } from './access.ts'
import { type Command, commandProgram, type StepContext } from './command.ts'
import { act, Failure, invalidArguments } from './failure.ts'
import { readAnalyzed, readGroup, readRun, writeFile } from './files.ts'
import { type FlagName, pathOf, since } from './inputs.ts'
import { dropPrivileges } from './privileges.ts'

/** `restorer` (cnb-spec §2.4). */
export const restorer: Command = {
  name: 'restorer',
  phase: 'restore',
  flags: restorerFlags,
  run: async (context) => {
    const { positionals, root, say, platformApi } = context
    // The variable alone means nothing to an API that has no such flag.
    const inputs = { ...context.inputs, daemon: context.inputs.daemon && isAtLeast(platformApi, '0.12') }
    if (positionals.length > 0) throw invalidArguments('received unexpected Args')
    warnOfNoCache(context)
    await checkLayout(context)
    const analyzed = await usableAnalyzed(context)
    const group = await readGroup(root, inputs.groupPath)
    const asksForRunImage = analyzed !== undefined && isAtLeast(platformApi, '0.14')
    const run = asksForRunImage ? await readRun(root, inputs, platformApi, say) : undefined
    say('debug', 'Ensuring privileges...')
    await using access = await openAccess(
      { ...context, inputs },
      [...namesOf(analyzed, run), inputs.cacheImage],
      [inputs.buildImage, extendedRunImage(analyzed)],
    )
    await dropPrivileges(inputs.uid, inputs.gid, [inputs.layersDir, inputs.cacheDir, KANIKO_DIR])
    say('debug', 'Executing command...')
    const cache = await openCache(context, access.cacheImages)
    const restored = await runRestorer(
      context,
      { group, analyzed, run, buildImage: inputs.buildImage },
      { images: access.images, registries: access.cacheImages, cache },
    )
    if (restored !== undefined) {
      await inStep(context.emit, 'restore', 'write analyzed.toml', () =>
        writeFile(root, inputs.analyzedPath, 'analyzed file', writeAnalyzed(restored)),
      )
    }
  },
}

export const run = commandProgram(restorer)

function restorerFlags(platformApi: ApiVersion): readonly FlagName[] {
  return [
    ...since(platformApi, '0.14', 'run'),
    ...since(platformApi, '0.13', 'insecure-registry'),
    ...since(platformApi, '0.12', 'daemon', 'generated', 'layout', 'layout-dir'),
    ...since(platformApi, '0.10', 'build-image'),
    ...([
      'analyzed',
      'cache-dir',
      'cache-image',
      'gid',
      'group',
      'layers',
      'skip-layers',
      'uid',
      'verify',
    ] as const),
  ]
}

/** */
export function warnOfNoCache({ inputs, say }: StepContext): void {
  if (inputs.cacheDir === '' && inputs.cacheImage === '') {
    say('warn', 'No cached data will be used, no cache specified.')
  }
}

/** neither a missing analyzed.toml, which is an empty one, nor a broken one keeps the cache from being restored. */
async function usableAnalyzed({ inputs, root, say }: StepContext): Promise<Analyzed | undefined> {
  try {
    return await readAnalyzed(root, inputs.analyzedPath, say)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    say('warn', `Not using analyzed data, usable file not found: ${error.line}`)
    return undefined
  }
}

function namesOf(analyzed: Analyzed | undefined, run: Run | undefined): readonly string[] {
  return [
    analyzed?.previousImage?.reference ?? '',
    analyzed?.runImage?.reference ?? '',
    analyzed?.runImage?.image ?? '',
    ...(run?.images ?? []).flatMap((entry) => [entry.image, ...entry.mirrors]),
  ].filter((name) => name !== '')
}

function extendedRunImage(analyzed: Analyzed | undefined): string {
  return analyzed?.runImage?.extend === true ? (analyzed.runImage.image ?? '') : ''
}

/**
 * The cache image, else the cache directory, or nothing where none is named.
 * @throws Failure `failed to create volume cache: …` (exit 1)
 */
export async function openCache(
  { inputs: { cacheDir, cacheImage: name }, emit, platformApi }: StepContext,
  images: ImageAccess,
): Promise<Cache | undefined> {
  if (name !== '') {
    const { cacheImage } = await import('../cache/image.ts')
    // Later versions leave that to the registry (cnb-spec CA-4).
    return cacheImage(name, images, emit, { deletesReplaced: !isAtLeast(platformApi, '0.13') })
  }
  if (cacheDir === '') return undefined
  const { cacheDirectory } = await import('../cache/directory.ts')
  return act('create volume cache', () => cacheDirectory(pathOf(cacheDir)))
}

/** Restores, and gives analyzed.toml as it is then. */
export async function runRestorer(
  { inputs, root, emit, platformApi }: StepContext,
  given: {
    readonly group: Group
    readonly analyzed: Analyzed | undefined
    readonly run: Run | undefined
    /** Nothing is kept of it for an extender where there is none. */
    readonly buildImage?: string
  },
  {
    images,
    registries,
    cache,
    kept,
  }: {
    readonly images: RestoreContext['images']
    readonly registries?: RestoreContext['images']
    readonly cache: Cache | undefined
    readonly kept?: KeptLayers | undefined
  },
): Promise<Analyzed | undefined> {
  const { analyzed, group, run, buildImage = '' } = given
  const restored = await act('restore', () =>
    restore(
      {
        group,
        layersDir: pathOf(inputs.layersDir),
        skipLayers: inputs.skipLayers,
        verify: inputs.verify,
        buildImage,
        layout: usesLayout(inputs, platformApi),
        ...(analyzed === undefined ? {} : { analyzed }),
        ...(run === undefined ? {} : { run }),
      },
      {
        root,
        emit,
        platformApi,
        images,
        ...(registries === undefined ? {} : { registries }),
        ...(cache === undefined ? {} : { cache }),
        ...(kept === undefined ? {} : { kept }),
      },
    ),
  )
  return restored.analyzed
}
