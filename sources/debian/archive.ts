import { createHash } from 'node:crypto'
import { errorChain, SlipwayError } from '../../core/error.ts'
import {
  createRetrier,
  ensureStatus,
  type HttpClient,
  type HttpResponse,
  isTemporaryStatus,
  redact,
  retryAfter,
  sendFollowing,
  Temporary,
} from '../../core/http/index.ts'
import type { XzPool } from '../archive/xz.ts'
import type { ArchiveName } from './packages.ts'
import {
  checkRelease,
  parseRelease,
  type Release,
  type ReleaseExpectation,
  verifyClearSigned,
} from './release.ts'

/** How an archive is reached. */
export interface DebianAccess {
  readonly http: HttpClient
  readonly signal?: AbortSignal
}

/** A mirror of one of Debian's archives that answered with an index of Debian's. */
export interface DebianArchive {
  readonly name: ArchiveName
  /** With a slash at its end. */
  readonly uri: string
}

/** Larger than any Release file there is (unstable's is 0.3 MB). */
const RELEASE_LIMIT = 4 * 1024 * 1024
/** Packages.xz of unstable is 11 MB; unpacked 65. */
const INDEX_LIMIT = 64 * 1024 * 1024
const INDEX_TEXT_LIMIT = 512 * 1024 * 1024

/**
 * GETs a file, redirects followed, and hands its body to `read`; both are done again where the connection breaks or
 * the server asks for patience.
 * @throws SlipwayError `HTTP_…`, and what `read` throws
 */
export async function download<T>(
  access: DebianAccess,
  url: string,
  read: (response: HttpResponse) => Promise<T>,
): Promise<T> {
  const once = access.http.once ?? access.http
  const signal = access.signal
  const request = { method: 'GET', url, ...(signal === undefined ? {} : { signal }) } as const
  return createRetrier({ attempts: 4 }).run(
    new URL(url).origin,
    async () => {
      const response = await sendFollowing(once, request)
      if (isTemporaryStatus(response.status)) {
        const wait = retryAfter(response.headers.get('retry-after'), Date.now())
        const error = await ensureStatus(response, 200).then(
          () => new Error('unreachable'),
          (thrown: Error) => thrown,
        )
        throw new Temporary(error, wait)
      }
      return read(await ensureStatus(response, 200))
    },
    signal,
  )
}

/**
 * Fetches and verifies `dists/<suite>/InRelease`.
 * @throws SlipwayError `SOURCE_DEBIAN_…` (release.ts), `HTTP_…`
 */
export async function fetchRelease(
  access: DebianAccess,
  uri: string,
  keys: readonly string[],
  expected: ReleaseExpectation,
): Promise<Release> {
  const url = `${uri}dists/${expected.suite}/InRelease`
  const message = await download(access, url, (response) => response.text(RELEASE_LIMIT))
  const subject = redact(url)
  const release = parseRelease(await verifyClearSigned(message, keys, subject, expected.now), subject)
  checkRelease(release, expected, subject)
  return release
}

/**
 * The first of some addresses that answers with Debian's own index of a suite: the host's settings name all kinds of
 * archives, and only a signed Release with `Origin: Debian` tells them apart.
 * @throws SlipwayError of the only address, or `SOURCE_DEBIAN_MIRROR_UNUSABLE` with what each answered.
 */
export async function findArchive(
  access: DebianAccess,
  name: ArchiveName,
  uris: readonly string[],
  keys: readonly string[],
  expected: ReleaseExpectation,
): Promise<{ readonly archive: DebianArchive; readonly release: Release }> {
  const failures: { readonly uri: string; readonly error: unknown }[] = []
  for (const uri of uris) {
    try {
      return { archive: { name, uri }, release: await fetchRelease(access, uri, keys, expected) }
    } catch (error) {
      if (access.signal?.aborted === true) throw error
      failures.push({ uri, error })
    }
  }
  if (failures.length === 1) throw failures[0]?.error
  throw new SlipwayError(
    'SOURCE_DEBIAN_MIRROR_UNUSABLE',
    `no archive that apt is set up to use has Debian's ${expected.suite}: ${failures
      .map(({ uri, error }) => `${redact(uri)} (${errorChain(error)})`)
      .join('; ')}`,
    { subject: expected.suite, class: 'infrastructure', cause: failures[0]?.error },
  )
}

/**
 * Fetches one index of packages (`main/binary-<architecture>/Packages.xz`) by the digest that the Release gives it, and
 * unpacks it.
 * @returns its text in pieces of whole stanzas
 * @throws SlipwayError `SOURCE_DEBIAN_INDEX_MISSING`, `SOURCE_DEBIAN_DIGEST_WRONG`, `SOURCE_XZ_…`, `HTTP_…`
 */
export async function fetchPackageIndex(
  access: DebianAccess,
  archive: DebianArchive,
  suite: string,
  release: Release,
  architecture: string,
  pool: XzPool,
): Promise<readonly Buffer[]> {
  const path = `main/binary-${architecture}/Packages.xz`
  const file = release.files.get(path)
  const base = `${archive.uri}dists/${suite}/`
  if (file === undefined) {
    throw new SlipwayError('SOURCE_DEBIAN_INDEX_MISSING', `${suite} has no packages for ${architecture}`, {
      subject: redact(`${base}${path}`),
      class: 'usage',
    })
  }
  const byHash = `${base}main/binary-${architecture}/by-hash/SHA256/${file.sha256}`
  const plain = `${base}${path}`
  const fetchFrom = async (url: string): Promise<Uint8Array> => {
    const bytes = await download(access, url, (response) => response.bytes(Math.min(INDEX_LIMIT, file.size)))
    checkDigest(bytes, file, redact(url))
    return bytes
  }
  // Some mirrors and proxies do not keep by-hash: the plain name holds the same unless the archive changes just now.
  const bytes = release.acquireByHash
    ? await fetchFrom(byHash).catch((error: unknown) => {
        if (error instanceof SlipwayError && error.code === 'HTTP_STATUS') return fetchFrom(plain)
        throw error
      })
    : await fetchFrom(plain)
  return stanzaPieces(pool.decompress({ bytes }, redact(plain), INDEX_TEXT_LIMIT))
}

/** Stanzas in pieces that end between two of them, as bytes: as one string they would stand twice in memory, 60 MB each. */
async function stanzaPieces(chunks: AsyncIterable<Uint8Array>): Promise<readonly Buffer[]> {
  const pieces: Buffer[] = []
  let rest = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = Buffer.concat([rest, chunk])
    const end = bytes.lastIndexOf('\n\n') + 2
    if (end > 1) pieces.push(bytes.subarray(0, end))
    rest = end > 1 ? bytes.subarray(end) : bytes
  }
  return rest.length === 0 ? pieces : [...pieces, rest]
}

/** @throws SlipwayError `SOURCE_DEBIAN_DIGEST_WRONG` */
export function checkDigest(
  bytes: Uint8Array,
  expected: { readonly sha256: string; readonly size: number },
  subject: string,
): void {
  const actual = createHash('sha256').update(bytes).digest('hex')
  if (actual !== expected.sha256 || bytes.length !== expected.size) {
    throw digestError(subject, expected, actual, bytes.length)
  }
}

export function digestError(
  subject: string,
  expected: { readonly sha256: string; readonly size: number },
  actual: string,
  size: number,
): SlipwayError {
  return new SlipwayError(
    'SOURCE_DEBIAN_DIGEST_WRONG',
    `got ${size} bytes with sha256 ${actual}, the signed index says ${expected.size} bytes with ${expected.sha256}`,
    {
      subject,
      hint: 'the mirror or a proxy on the way is not in step with the index; try again, or another mirror',
      class: 'infrastructure',
    },
  )
}
