import { type ApiVersion, isAtLeast } from '../../spec/api-version.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import { type Analyzed, writeAnalyzed } from '../../spec/files/analyzed.ts'
import type { Run } from '../../spec/files/run.ts'
import { analyze } from '../phases/analyze.ts'
import { inStep } from '../phases/steps.ts'
import { type Access, checkLayout, openAccess } from './access.ts'
import { type Command, commandProgram, type StepContext } from './command.ts'
import { act, invalidArguments } from './failure.ts'
import { readRun, writeFile } from './files.ts'
import { type FlagName, type Inputs, pathOf, since } from './inputs.ts'
import { requireOneRegistry } from './one-registry.ts'
import { dropPrivileges } from './privileges.ts'

/** `analyzer` (cnb-spec §2.2). */
export const analyzer: Command = {
  name: 'analyzer',
  phase: 'analyze',
  flags: analyzerFlags,
  run: async (context) => {
    const { inputs, positionals, root, say } = context
    const image = oneImage(positionals)
    await requireOneRegistry([image, ...inputs.tags], inputs)
    const run = await readRun(root, inputs, context.platformApi, say)
    warnOfLaunchCache(context)
    await checkLayout(context)
    say('debug', 'Ensuring privileges...')
    await using access = await openAccess(context, namesOf(inputs, image, run))
    await dropPrivileges(inputs.uid, inputs.gid, [inputs.layersDir, inputs.cacheDir, inputs.launchCacheDir])
    say('debug', 'Executing command...')
    await runAnalyzer(context, image, run, access)
  },
}

export const run = commandProgram(analyzer)

function analyzerFlags(platformApi: ApiVersion): readonly FlagName[] {
  return [
    ...since(platformApi, '0.13', 'insecure-registry'),
    ...since(platformApi, '0.12', 'layout', 'layout-dir', 'run'),
    ...(isAtLeast(platformApi, '0.12') ? [] : (['stack'] as const)),
    ...since(platformApi, '0.9', 'launch-cache', 'skip-layers'),
    ...(['analyzed', 'cache-image', 'daemon', 'gid', 'layers'] as const),
    ...(['previous-image', 'run-image', 'tag', 'uid'] as const),
  ]
}

/** @throws Failure where there is not exactly one (exit 3) */
export function oneImage(positionals: readonly string[]): string {
  const [image] = positionals
  if (image !== undefined && image !== '' && positionals.length === 1) return image
  throw invalidArguments(
    image === '' ? 'image argument is required' : `received ${positionals.length} arguments, but expected 1`,
  )
}

/** The launch cache only helps a daemon's images. */
export function warnOfLaunchCache({ inputs, say }: StepContext): void {
  if (inputs.launchCacheDir !== '' && !inputs.daemon) {
    say('warn', 'Ignoring -launch-cache, only intended for use with -daemon')
  }
}

/** Every image that a phase may ask for, as far as it is known before. */
export function namesOf(inputs: Inputs, image: string, run: Run): readonly string[] {
  return [
    image,
    ...inputs.tags,
    inputs.previousImage,
    inputs.runImage,
    inputs.cacheImage,
    ...run.images.flatMap((entry) => [entry.image, ...entry.mirrors]),
  ].filter((name) => name !== '')
}

/** Analyzes and writes analyzed.toml. */
export async function runAnalyzer(
  context: StepContext,
  image: string,
  run: Run,
  access: Pick<Access, 'images' | 'cacheImages'>,
): Promise<Analyzed> {
  const { inputs, root, emit, platformApi } = context
  const given = (key: 'previousImage' | 'runImage' | 'cacheImage') =>
    inputs[key] === '' ? {} : { [key]: inputs[key] }
  const analyzed = await act(
    'analyze',
    () =>
      analyze(
        {
          image,
          tags: inputs.tags,
          run,
          ...given('previousImage'),
          ...given('runImage'),
          ...given('cacheImage'),
          layersDir: pathOf(inputs.layersDir),
          skipLayers: inputs.skipLayers,
        },
        { root, emit, platformApi, images: access.images, cacheImages: access.cacheImages },
      ),
    EXIT_CODES.analyze,
  )
  await inStep(emit, 'analyze', 'write analyzed.toml', () =>
    writeFile(root, inputs.analyzedPath, 'analyzed file', writeAnalyzed(analyzed)),
  )
  return analyzed
}
