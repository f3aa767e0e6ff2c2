import type { Image, Repository } from '../oci/image.ts'
import type { Layout } from '../oci/layout/layout.ts'
import { readImage } from '../oci/read-image.ts'
import { identifier, parseReference, repositoryName } from '../oci/reference.ts'

/** Names under which the parts of the default builder are kept in the local store. */
export interface BuilderNames {
  readonly builder: string
  /** The name of the run image, also as apps built on it remember it. */
  readonly run: string
  /** The build base, of which the builder is made. */
  readonly build: string
}

/** The names of the default builder; operators configure others. */
export function defaultNames(codename: string): BuilderNames {
  const name = (what: string): string => `slipway.local/${what}:${codename}`
  return { builder: name('builder'), run: name('run'), build: name('build') }
}

/** The place of a name in the store, and its tag. */
export function placeOf(
  layout: Layout,
  name: string,
): { readonly repository: Repository; readonly tag: string } {
  const reference = parseReference(name)
  return { repository: layout.repository(repositoryName(reference)), tag: identifier(reference) }
}

/** The image of a name in the store, or undefined where there is none. */
export function storedImage(layout: Layout, name: string): Promise<Image | undefined> {
  const { repository, tag } = placeOf(layout, name)
  return readImage(repository, tag)
}

/** A label of an image. */
export function labelOf(image: Image | undefined, key: string): string | undefined {
  return image?.config.config?.Labels?.[key]
}
