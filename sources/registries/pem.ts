/** Certificates in PEM files. */

const CERTIFICATE = /-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----/g

/** The certificates of a PEM text, each in the one form with lines of 64 characters; private keys and comments are left out. */
export function splitCertificates(text: string): string[] {
  return [...text.matchAll(CERTIFICATE)].map(([, body]) => {
    const base64 = (body ?? '').replace(/\s+/g, '')
    const lines = base64.match(/.{1,64}/g) ?? []
    return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
  })
}

/** Certificates without duplicates and without those in `known`, in the order they came. */
export function newCertificates(found: readonly string[], known: readonly string[]): string[] {
  const seen = new Set(known.flatMap(splitCertificates))
  return found.filter((certificate) => {
    if (seen.has(certificate)) return false
    seen.add(certificate)
    return true
  })
}
