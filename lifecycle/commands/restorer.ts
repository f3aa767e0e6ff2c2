import { type ApiVersion, isAtLeast } from '../../spec/api-version.ts'
import { type Analyzed, EMPTY_ANALYZED, parseAnalyzed, writeAnalyzed } from '../../spec/files/analyzed.ts'
import type { Group } from '../../spec/files/group.ts'
import type { Run } from '../../spec/files/run.ts'
import type { Cache } from '../cache/cache.ts'
import type { ImageAccess } from '../context.ts'
import { type KeptLayers, type RestoreContext, restore } from '../phases/restore.ts'
import { checkLayout, openAccess } from './access.ts'
import { type Command, commandProgram, type StepContext } from './command.ts'
import { act, Failure, invalidArguments } from './failure.ts'
import { readGroup, readOptional, readRun, writeFile } from './files.ts'
import { type FlagName, pathOf, since } from './inputs.ts'
import { dropPrivileges } from './privileges.ts'
import { refuseDaemon } from './unsupported.ts'

/** Where an extender would find base images (cnb-spec §2.4). */
const KANIKO_DIR = '/kaniko'

/** `restorer` (cnb-spec §2.4). */
export const restorer: Command = {
  name: 'restorer',
  flags: restorerFlags,
  run: async (context) => {
    const { inputs, positionals, root, say, platformApi } = context
    if (positionals.length > 0) throw invalidArguments('received unexpected Args')
    warnOfNoCache(context)
    refuseDaemon('restore', inputs)
    await checkLayout(context)
    const analyzed = await usableAnalyzed(context)
    const group = await readGroup(root, inputs.groupPath)
    const asksForRunImage = analyzed !== undefined && isAtLeast(platformApi, '0.14')
    const run = asksForRunImage ? await readRun(root, inputs, platformApi, say) : undefined
    say('debug', 'Ensuring privileges...')
    await using access = await openAccess(context, [...namesOf(analyzed, run), inputs.cacheImage])
    await dropPrivileges(inputs.uid, inputs.gid, [inputs.layersDir, inputs.cacheDir, KANIKO_DIR])
    say('debug', 'Executing command...')
    const cache = await openCache(context, access.cacheImages)
    const restored = await runRestorer(context, { group, analyzed, run }, { images: access.images, cache })
    if (restored !== undefined) {
      await writeFile(root, inputs.analyzedPath, 'analyzed file', writeAnalyzed(restored))
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
  const path = inputs.analyzedPath
  try {
    const found = await act('read analyzed file', () => readOptional(root, path, parseAnalyzed))
    if (found === undefined) say('warn', `No analyzed metadata found at path ${JSON.stringify(path)}`)
    return found ?? EMPTY_ANALYZED
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
  given: { readonly group: Group; readonly analyzed: Analyzed | undefined; readonly run: Run | undefined },
  {
    images,
    cache,
    kept,
  }: {
    readonly images: RestoreContext['images']
    readonly cache: Cache | undefined
    readonly kept?: KeptLayers | undefined
  },
): Promise<Analyzed | undefined> {
  const { analyzed, group, run } = given
  const restored = await act('restore', () =>
    restore(
      {
        group,
        layersDir: pathOf(inputs.layersDir),
        skipLayers: inputs.skipLayers,
        verify: inputs.verify,
        ...(analyzed === undefined ? {} : { analyzed }),
        ...(run === undefined ? {} : { run }),
      },
      {
        root,
        emit,
        platformApi,
        images,
        ...(cache === undefined ? {} : { cache }),
        ...(kept === undefined ? {} : { kept }),
      },
    ),
  )
  return restored.analyzed
}
