/**
 * Path and query of the next page of a list (RFC 8288 `Link: <…>; rel="next"`). A link to another host would take
 * credentials there and is not followed.
 */
export function nextPage(link: string | undefined, base: string, origin: URL): string | undefined {
  const target = /^\s*<([^>]*)>\s*;\s*rel="?next"?/i.exec(link ?? '')?.[1]
  if (target === undefined || !URL.canParse(target, base)) return undefined
  const url = new URL(target, base)
  return url.hostname === origin.hostname ? url.pathname + url.search : undefined
}
