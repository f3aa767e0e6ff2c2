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

/** Where a command's images are: in registries, or with `-layout` in directories. */
export interface Access extends AsyncDisposable {
  readonly images: ImageAccess
  /** What is in a registry always: a cache image, and what an extender works on. */
  readonly cacheImages: ImageAccess
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
  { inputs, env, emit, platformApi }: CommandContext,
  names: readonly string[],
  inRegistries: readonly string[] = [],
): Promise<Access> {
  if (!usesLayout(inputs, platformApi)) {
    const images = await openRegistries([...names, ...inRegistries])
    return { images, cacheImages: images, [Symbol.asyncDispose]: () => images[Symbol.asyncDispose]() }
  }
  const { layoutImages } = await import('../images/layout.ts')
  const images = layoutImages(inputs.layoutDir)
  const beside = [inputs.cacheImage, ...inRegistries].filter((name) => name !== '')
  if (beside.length === 0) return { images, cacheImages: images, [Symbol.asyncDispose]: async () => {} }
  const cacheImages = await openRegistries(beside)
  return { images, cacheImages, [Symbol.asyncDispose]: () => cacheImages[Symbol.asyncDispose]() }

  async function openRegistries(of: readonly string[]) {
    const { openImages } = await import('./images.ts')
    return openImages(inputs, env, emit, of)
  }
}
