import type { Emit } from '../../../core/event.ts'
import { goJson } from '../../../core/go-json.ts'
import type { ImageConfig } from '../../../oci/image.ts'
import { type ApiVersion, isAtLeast } from '../../../spec/api-version.ts'
import { runImageMirrorsFields } from '../../../spec/files/run.ts'
import { type LifecycleMetadata, writeLifecycleMetadata } from '../../../spec/labels/lifecycle-metadata.ts'
import { BASE_LABEL_PREFIX, LABELS, STACK_LABEL_PREFIX } from '../../../spec/labels/names.ts'
import type { FoundImage } from '../../images/find.ts'
import { names } from '../../images/run-image.ts'
import { refused } from './checks.ts'

/**
 * What an app image says of its build once it stands on a new run image (cnb-spec RB-4, RB-8): all as before, but for the
 * run image.
 * @throws SlipwayError `REBASE_RUN_IMAGE_UNLISTED` where the app's metadata does not name the new run image
 */
export function rebasedMetadata(
  metadata: LifecycleMetadata,
  base: FoundImage,
  {
    force,
    platformApi,
    emit,
  }: { readonly force: boolean; readonly platformApi: ApiVersion; readonly emit: Emit },
): LifecycleMetadata {
  const runImage = {
    ...metadata.runImage,
    topLayer: base.image.config.rootfs.diff_ids.at(-1) ?? '',
    reference: base.digestName,
  }
  if (!isAtLeast(platformApi, '0.12') || isListed(metadata, base.name)) return { ...metadata, runImage }
  const message = `rebase app image: new base image '${base.name}' not found in existing run image metadata: ${existing(metadata)}`
  if (!force) throw refused('REBASE_RUN_IMAGE_UNLISTED', message)
  emit({ type: 'warning', message })
  const only = { image: base.name, mirrors: [] }
  return { ...metadata, runImage: { ...runImage, ...only }, stack: { runImage: only } }
}

function isListed({ runImage, stack }: LifecycleMetadata, name: string): boolean {
  return names(runImage, name) || (stack !== undefined && names(stack.runImage, name))
}

function existing({ runImage, stack }: LifecycleMetadata): string {
  const { topLayer, reference } = runImage
  if (runImage.image !== '') return goJson({ topLayer, reference, ...runImageMirrorsFields(runImage) })
  if (stack !== undefined && stack.runImage.image !== '') return goJson(runImageMirrorsFields(stack.runImage))
  return 'not found'
}

/**
 * The app's labels with those of the base replaced by the new one's (RB-5): what the old base alone had goes.
 */
export function rebasedLabels(
  app: ImageConfig,
  base: ImageConfig,
  metadata: LifecycleMetadata,
  platformApi: ApiVersion,
): Readonly<Record<string, string>> {
  const prefixes = isAtLeast(platformApi, '0.12')
    ? [STACK_LABEL_PREFIX, BASE_LABEL_PREFIX]
    : [STACK_LABEL_PREFIX]
  const isOfBase = ([key]: readonly [string, string]) => prefixes.some((prefix) => key.startsWith(prefix))
  return Object.fromEntries([
    ...Object.entries(app.config?.Labels ?? {}).filter((label) => !isOfBase(label)),
    ...Object.entries(base.config?.Labels ?? {}).filter(isOfBase),
    [LABELS.lifecycleMetadata, writeLifecycleMetadata(metadata)],
  ])
}
