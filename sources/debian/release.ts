import { SlipwayError } from '../../core/error.ts'
import { parseStanza } from './deb822.ts'

/** What a verified Release file says. */
export interface Release {
  readonly origin: string
  readonly label: string
  readonly suite: string
  readonly codename: string
  readonly version: string
  readonly date: Date
  readonly validUntil?: Date
  readonly acquireByHash: boolean
  /** By path below the suite's directory. */
  readonly files: ReadonlyMap<string, { readonly sha256: string; readonly size: number }>
}

/**
 * The text that one of the keys signed, of a clear-signed message (InRelease). What stands outside the signed part is
 * never returned.
 * @param now when the signature must be valid.
 * @throws SlipwayError `SOURCE_DEBIAN_SIGNATURE_INVALID`
 */
export async function verifyClearSigned(
  message: string,
  keys: readonly string[],
  subject: string,
  now: Date,
): Promise<string> {
  const openpgp = await import('openpgp')
  const invalid = (why: string, cause?: unknown): SlipwayError =>
    new SlipwayError('SOURCE_DEBIAN_SIGNATURE_INVALID', `the package index is not signed by Debian: ${why}`, {
      subject,
      hint: "something between this machine and Debian changed the index, or the mirror is not one of Debian's; try another mirror",
      class: 'infrastructure',
      ...(cause === undefined ? {} : { cause }),
    })
  const verificationKeys = (
    await Promise.all(keys.map((armoredKeys) => openpgp.readKeys({ armoredKeys })))
  ).flat()
  let result: Awaited<ReturnType<typeof openpgp.verify>>
  let text: string
  try {
    const cleartext = await openpgp.readCleartextMessage({ cleartextMessage: message })
    text = cleartext.getText()
    result = await openpgp.verify({ message: cleartext, verificationKeys, date: now })
  } catch (error) {
    throw invalid('it is no clear-signed message', error)
  }
  const failures: unknown[] = []
  for (const signature of result.signatures) {
    try {
      await signature.verified
      return text
    } catch (error) {
      failures.push(error)
    }
  }
  throw invalid(failures.length === 0 ? 'no signature' : 'no good signature by a known key', failures[0])
}

/**
 * Parses a Release file's text.
 * @throws SlipwayError `SOURCE_DEBIAN_RELEASE_INVALID`
 */
export function parseRelease(text: string, subject: string): Release {
  const invalid = (why: string): SlipwayError =>
    new SlipwayError(
      'SOURCE_DEBIAN_RELEASE_INVALID',
      `the package index's Release file is not usable: ${why}`,
      {
        subject,
        class: 'infrastructure',
      },
    )
  const fields = parseStanza(text.replaceAll('\r\n', '\n'))
  const field = (name: string): string => fields.get(name) ?? ''
  const date = new Date(field('date'))
  if (Number.isNaN(date.getTime())) throw invalid('no Date')
  const validUntilText = fields.get('valid-until')
  const validUntil = validUntilText === undefined ? undefined : new Date(validUntilText)
  if (validUntil !== undefined && Number.isNaN(validUntil.getTime())) throw invalid('Valid-Until is no date')
  const files = new Map<string, { sha256: string; size: number }>()
  for (const line of field('sha256').split('\n')) {
    const [, sha256, size, path] = /^\s*([0-9a-f]{64})\s+(\d{1,12})\s+(\S+)\s*$/.exec(line) ?? []
    if (sha256 !== undefined && path !== undefined) files.set(path, { sha256, size: Number(size) })
  }
  if (files.size === 0) throw invalid('no SHA256 sums')
  return {
    origin: field('origin'),
    label: field('label'),
    suite: field('suite'),
    codename: field('codename'),
    version: field('version'),
    date,
    ...(validUntil === undefined ? {} : { validUntil }),
    acquireByHash: /^yes$/i.test(field('acquire-by-hash')),
    files,
  }
}

/** What a Release must be to count. */
export interface ReleaseExpectation {
  /** Suite or codename asked for. */
  readonly suite: string
  readonly now: Date
  /** Whether dates are checked; a machine's owner may have switched that off for apt. Default true. */
  readonly checkValidity?: boolean
  /**
   * The date of the newest Release accepted before, where one is known. Debian's stable suites carry no Valid-Until, so
   * only this keeps a mirror from answering with last year's index (and its known holes).
   */
  readonly notBefore?: Date
}

const DAY = 24 * 60 * 60 * 1000

/**
 * Checks that a Release is Debian's, of the suite asked for, and of its time.
 * @throws SlipwayError `SOURCE_DEBIAN_ORIGIN_WRONG`, `SOURCE_DEBIAN_SUITE_WRONG`, `SOURCE_DEBIAN_RELEASE_EXPIRED`,
 * `SOURCE_DEBIAN_RELEASE_FUTURE`, `SOURCE_DEBIAN_RELEASE_OLDER`
 */
export function checkRelease(release: Release, expected: ReleaseExpectation, subject: string): void {
  const fail = (code: Uppercase<string>, message: string, hint: string): never => {
    throw new SlipwayError(code, message, { subject, hint, class: 'infrastructure' })
  }
  if (release.origin !== 'Debian') {
    fail(
      'SOURCE_DEBIAN_ORIGIN_WRONG',
      `the archive says it is ${JSON.stringify(release.origin.slice(0, 80))}, not Debian`,
      'name a mirror of Debian',
    )
  }
  if (release.codename !== expected.suite && release.suite !== expected.suite) {
    fail(
      'SOURCE_DEBIAN_SUITE_WRONG',
      `asked for ${expected.suite}, the archive answered with ${release.codename} (${release.suite})`,
      'the mirror is not whole; try another one',
    )
  }
  if (expected.notBefore !== undefined && release.date < expected.notBefore) {
    fail(
      'SOURCE_DEBIAN_RELEASE_OLDER',
      `the index is of ${release.date.toISOString()}, older than the one of ${expected.notBefore.toISOString()} seen before`,
      'the mirror is behind; try again later or another mirror',
    )
  }
  if (expected.checkValidity === false) return
  if (release.validUntil !== undefined && release.validUntil < expected.now) {
    fail(
      'SOURCE_DEBIAN_RELEASE_EXPIRED',
      `the index was valid until ${release.validUntil.toISOString()}`,
      "the mirror is behind, or this machine's clock is wrong",
    )
  }
  if (release.date.getTime() > expected.now.getTime() + DAY) {
    fail(
      'SOURCE_DEBIAN_RELEASE_FUTURE',
      `the index is of ${release.date.toISOString()}, which is in the future`,
      "set this machine's clock",
    )
  }
}
