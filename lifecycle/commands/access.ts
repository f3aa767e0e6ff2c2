import {
  type ApiVersion,
  isAtLeast,
  parseExperimentalMode,
  requireExperimental,
} from '../../spec/api-version.ts'
import type { ImageAccess } from '../context.ts'
import type { CommandContext } from './command.ts'
import { act, invalidArguments } from './failure.ts'
import type { Inputs } from './inputs.ts'

/** Where a command's images are: in registries, with `-daemon` in a container daemon, with `-layout` in directories. */
export interface Access extends AsyncDisposable {
  readonly images: ImageAccess
  /** What is in a registry always: a cache image, and what an extender works on. */
  readonly cacheImages: ImageAccess
  /** Present where idle connections have to be kept from being closed. */
  keepAwake?(): Promise<void>
}

/** Whether images are in directories. The variable alone means nothing to an API that has no such flag. */
export function usesLayout({ layout }: Inputs, platformApi: ApiVersion): boolean {
  return layout && isAtLeast(platformApi, '0.12')
}

/**
 * Guards `-layout` (cnb-spec V-40, V-41, A-7), before anything is done.
 * @throws Failure exit 1 where experimental features are off, exit 3 without `-layout-dir`
 */
export async function checkLayout({
  inputs,
  platformApi,
  say,
}: Pick<CommandContext, 'inputs' | 'platformApi' | 'say'>): Promise<void> {
  if (!usesLayout(inputs, platformApi)) return
  await act('use OCI layout', () =>
    requireExperimental('export to OCI layout format', parseExperimentalMode(inputs.experimentalMode), say),
  )
  if (inputs.layoutDir !== '') return
  throw invalidArguments(
    'defining a layout directory is required when OCI Layout feature is enabled. Use -layout-dir flag or CNB_LAYOUT_DIR environment variable',
    'resolve inputs',
  )
}

/**
 * Opens a command's images.
 * @param names whose credentials are looked up now
 * @param inRegistries those of them, beside a cache image, that are in a registry wherever the others are; empty texts do
 * not count
 * @throws Failure exit 1
 */
export async function openAccess(
  context: CommandContext,
  names: readonly string[],
  inRegistries: readonly string[] = [],
): Promise<Access> {
  const { inputs, platformApi } = context
  const beside = [inputs.cacheImage, ...inRegistries].filter((name) => name !== '')
  if (usesLayout(inputs, platformApi)) {
    const { layoutImages } = await import('../images/layout.ts')
    const images = layoutImages(inputs.layoutDir)
    return withRegistries(context, beside, { images, [Symbol.asyncDispose]: async () => {} })
  }
  // A layout goes before it, as in the reference.
  if (inputs.daemon) {
    const { openDaemon } = await import('./daemon.ts')
    return withRegistries(context, beside, await openDaemon(context))
  }
  const images = await openRegistries(context, [...names, ...inRegistries])
  return { images, cacheImages: images, [Symbol.asyncDispose]: () => images[Symbol.asyncDispose]() }
}

/** Images that are in no registry, beside those that are. */
async function withRegistries(
  context: CommandContext,
  names: readonly string[],
  access: Omit<Access, 'cacheImages'>,
): Promise<Access> {
  if (names.length === 0) return { ...access, cacheImages: access.images }
  const cacheImages = await openRegistries(context, names)
  return {
    ...access,
    cacheImages,
    async [Symbol.asyncDispose]() {
      await cacheImages[Symbol.asyncDispose]()
      await access[Symbol.asyncDispose]()
    },
  }
}

async function openRegistries({ inputs, env, emit }: CommandContext, names: readonly string[]) {
  const { openImages } = await import('./images.ts')
  return openImages(inputs, env, emit, names)
}
