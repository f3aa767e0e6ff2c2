import { type ApiVersion, isAtLeast } from './api-version.ts'
import { NO_RUN_IMAGE, type Run, type RunImageMirrors, type Stack } from './files/run.ts'
import type { LifecycleMetadata } from './labels/lifecycle-metadata.ts'

/**
 * Choosing a run image and its mirrors (platform spec; cnb-spec §2.12). What a reference means is not the spec's business:
 * callers give functions for it.
 */

/** The same text for two names of one image: default registry and tag added, a digest taken off. */
export type NormalizeName = (name: string) => string

/** The registry of a reference, undefined where it is none. */
export type RegistryOf = (reference: string) => string | undefined

/**
 * RR-1: the order in which to try an image and its mirrors for an app image: those in its own registry first, then
 * all. The first readable one is the run image; with a daemon or a layout all count as readable (RR-2).
 */
export function runImageCandidates(
  appRegistry: string,
  runImage: RunImageMirrors,
  registryOf: RegistryOf,
): readonly string[] {
  const all = runImage.image === '' ? [] : [runImage.image, ...runImage.mirrors]
  const near = all.filter((name) => registryOf(name) === appRegistry)
  return [...new Set([...near, ...all])]
}

/** Whether a name is the image or one of its mirrors. */
export function namesRunImage(runImage: RunImageMirrors, name: string, normalize: NormalizeName): boolean {
  const wanted = normalize(name)
  return [runImage.image, ...runImage.mirrors].some(
    (candidate) => candidate !== '' && normalize(candidate) === wanted,
  )
}

/** Whether run.toml knows an image. */
export function runKnows(run: Run, name: string, normalize: NormalizeName): boolean {
  return run.images.some((image) => namesRunImage(image, name, normalize))
}

/**
 * RR-3, RR-4: image and mirrors for the label of the app image.
 * @param name `run-image.image` of analyzed.toml, empty where there is none
 */
export function runImageForExport(inputs: {
  readonly platformApi: ApiVersion
  readonly run: Run
  readonly stack: Stack
  readonly name: string
  readonly usedExtensions: boolean
  readonly normalize: NormalizeName
}): RunImageMirrors {
  const { platformApi, run, stack, name, usedExtensions, normalize } = inputs
  if (!isAtLeast(platformApi, '0.12')) return stack.runImage
  const [first] = run.images
  if (first === undefined) return NO_RUN_IMAGE
  const found = run.images.find((image) => namesRunImage(image, name, normalize))
  return found ?? (usedExtensions ? { image: name, mirrors: [] } : first)
}

/** RB-2: image and mirrors that an app image was built on, for a rebase; undefined where its label does not say. */
export function runImageOfMetadata(
  metadata: LifecycleMetadata,
  platformApi: ApiVersion,
): RunImageMirrors | undefined {
  const { runImage, stack } = metadata
  if (isAtLeast(platformApi, '0.12') && runImage.image !== '') {
    return { image: runImage.image, mirrors: runImage.mirrors }
  }
  return stack === undefined || stack.runImage.image === '' ? undefined : stack.runImage
}
