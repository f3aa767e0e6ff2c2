import { SlipwayError } from '../../core/error.ts'
import type { Runner } from '../../core/runner.ts'
import { type ApiVersion, isAtLeast } from '../../spec/api-version.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { Group } from '../../spec/files/group.ts'
import type { Report } from '../../spec/files/report.ts'
import type { Run } from '../../spec/files/run.ts'
import type { Cache } from '../cache/cache.ts'
import type { ImageAccess } from '../context.ts'
import type { KeptLayers } from '../phases/restore.ts'
import { type Access, checkLayout, openAccess } from './access.ts'
import { namesOf, oneImage, runAnalyzer, warnOfLaunchCache } from './analyzer.ts'
import { runBuilder } from './builder.ts'
import { type Command, commandProgram, type StepContext } from './command.ts'
import { readOrders, runDetector } from './detector.ts'
import { requireCompression, runExporter } from './exporter.ts'
import { Failure } from './failure.ts'
import { readRun } from './files.ts'
import { type FlagName, since } from './inputs.ts'
import { requireOneRegistry } from './one-registry.ts'
import { dropPrivileges, userVariables } from './privileges.ts'
import { openCache, runRestorer, warnOfNoCache } from './restorer.ts'
import { commandRunner } from './runner.ts'

/** `creator` (cnb-spec §2.8): analyze, detect, restore, build and export in one process. */
export const creator: Command = {
  name: 'creator',
  flags: creatorFlags,
  run: async (context) => {
    const { inputs, env, positionals, root, say, platformApi } = context
    const image = oneImage(positionals)
    await requireOneRegistry([image, ...inputs.tags], inputs)
    requireCompression(inputs)
    const run = await readRun(root, inputs, platformApi, say)
    warnOfNoCache(context)
    warnOfLaunchCache(context)
    warnOfParallel(context)
    await checkLayout(context)
    say('debug', 'Ensuring privileges...')
    await using access = await openAccess(context, namesOf(inputs, image, run))
    await dropPrivileges(inputs.uid, inputs.gid, [
      inputs.cacheDir,
      inputs.launchCacheDir,
      inputs.layersDir,
      inputs.layoutDir,
    ])
    if (process.getuid?.() === 0)
      say('warn', 'Running buildpacks as root: no user is named (-uid, CNB_USER_ID)')
    say('debug', 'Executing command...')

    const runner = commandRunner({ ...env, ...userVariables(process.getuid?.() ?? inputs.uid) })
    using _awake = keptAwake(access)
    await runCreator(context, image, run, {
      ...access,
      runner,
      cache: await openCache(context, access.cacheImages),
    })
  },
}

export const run = commandProgram(creator)

const AWAKE_INTERVAL_MS = 2000

/** What is connected may be left alone for as long as a buildpack builds. */
function keptAwake(access: Access): Disposable {
  let isAsked = false
  const ask = async () => {
    if (isAsked) return
    isAsked = true
    await access.keepAwake?.()
    isAsked = false
  }
  const timer = setInterval(ask, AWAKE_INTERVAL_MS)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** The five phases, each with its files read and written. */
export async function runCreator(
  context: StepContext,
  image: string,
  run: Run,
  means: {
    readonly images: ImageAccess
    readonly cacheImages: ImageAccess
    readonly runner: Runner
    readonly cache: Cache | undefined
    readonly kept?: KeptLayers | undefined
  },
): Promise<Report> {
  const { inputs, platformApi } = context
  const { runner } = means
  const analyzed = await runAnalyzer(context, image, run, means)
  const { group, plan } = await runDetector(context, await readOrders(context), analyzed, runner)
  refuseExtensions(group)
  if (!inputs.skipLayers || isAtLeast(platformApi, '0.10')) {
    await runRestorer(context, { group, analyzed, run: undefined }, means)
  }
  await runBuilder(context, { group, plan, analyzed }, runner)
  return runExporter(context, { names: [image, ...inputs.tags], group, analyzed, run }, means)
}

function creatorFlags(platformApi: ApiVersion): readonly FlagName[] {
  return [
    ...since(platformApi, '0.15', 'system'),
    ...since(platformApi, '0.13', 'insecure-registry'),
    ...since(platformApi, '0.12', 'layout', 'layout-dir', 'run'),
    ...since(platformApi, '0.11', 'build-config', 'launcher-sbom'),
    ...(['app', 'build-timeout', 'buildpacks', 'cache-dir', 'cache-image', 'daemon'] as const),
    ...(['detect-timeout', 'gid', 'launch-cache', 'launcher', 'layers', 'order', 'parallel'] as const),
    ...(['platform', 'previous-image', 'process-type', 'project-metadata', 'report'] as const),
    ...(['compression', 'run-image', 'skip-restore', 'stack', 'tag', 'uid', 'verify'] as const),
  ]
}

/** CR-4 */
function refuseExtensions({ groupExtensions }: Group): void {
  if (groupExtensions.length === 0) return
  throw new Failure(
    'detect',
    new SlipwayError(
      'LIFECYCLE_EXTENSIONS_UNSUPPORTED',
      'detected order contains extensions which is not supported by the creator',
      { class: 'usage', exitCode: EXIT_CODES.detect },
    ),
  )
}

function warnOfParallel({ inputs, say }: StepContext): void {
  if (inputs.parallel && inputs.cacheDir === '' && inputs.cacheImage === '') {
    say(
      'warn',
      'Parallel export has been enabled, but it has not taken effect because no cache has been specified.',
    )
  }
}
