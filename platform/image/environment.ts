import type { Image } from '../../oci/image.ts'

/** Variables of an image's configuration; a value may hold `=`. */
export function environmentOf(image: Image): Record<string, string> {
  return Object.fromEntries(
    (image.config.config?.Env ?? []).map((entry) => {
      const at = entry.indexOf('=')
      return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)]
    }),
  )
}
