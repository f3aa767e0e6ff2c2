import { createHash, type Hash } from 'node:crypto'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { SlipwayError } from '../../core/error.ts'
import { createRetrier, type HttpClient, isTemporaryStatus, Temporary } from '../../core/http/index.ts'
import { failure, type NpmRegistry, type NpmVersion, send } from './registry.ts'
import { type TarFile, tarFiles } from './tar.ts'

export interface ExtractOptions {
  /**
   * Where a file of the package goes: an absolute path, or undefined to leave it out. Gets the path inside of the package
   * (`bin/node`), clean and relative.
   */
  readonly select: (path: string) => string | undefined
  /** Bytes that may be written altogether. Default 1 GiB. */
  readonly maxBytes?: number
  /** Tries altogether when the connection is lost. Default 4. */
  readonly attempts?: number
}

const DEFAULT_MAX_BYTES = 1024 ** 3
const LARGEST_ARCHIVE = 1024 ** 3

/**
 * Fetches the archive of a version and writes selected files, with modes 0644 and 0755, while its digest is computed.
 * When it fails, also over a wrong digest at the very end, the files that were written are removed.
 * @returns how many files were written.
 * @throws SlipwayError `SOURCE_INTEGRITY_MISMATCH`, `SOURCE_INTEGRITY_UNSUPPORTED`, `SOURCE_ARCHIVE_INVALID`,
 *   `SOURCE_ARCHIVE_TOO_LARGE`, and those of `fetchVersions`.
 */
export async function extractTarball(
  http: HttpClient,
  registry: NpmRegistry,
  version: NpmVersion,
  options: ExtractOptions,
): Promise<number> {
  const expected = strongestDigest(version)
  const once = http.once ?? http
  const attempts = options.attempts ?? 4
  return await createRetrier({ attempts }).run(new URL(version.tarball).origin, async () => {
    const response = await send(once, registry, version.tarball).catch((error: unknown) => {
      // The registry's own failure says what happened; whether it may pass is for its cause to say.
      const cause = error instanceof SlipwayError ? error.cause : undefined
      throw error instanceof SlipwayError && cause instanceof SlipwayError && isLost(cause)
        ? new Temporary(error)
        : error
    })
    if (response.status !== 200) {
      await response.discard()
      const error = failure(
        'SOURCE_NPM_DOWNLOAD_FAILED',
        `the npm registry answered ${response.status} for ${version.name}@${version.version}`,
        version.tarball,
      )
      throw isTemporaryStatus(response.status) ? new Temporary(error) : error
    }
    return await unpack(response.body, expected, version, options)
  })
}

function isLost(error: SlipwayError): boolean {
  return ['HTTP_CONNECTION_LOST', 'HTTP_TIMEOUT', 'HTTP_CONNECT_FAILED'].includes(error.code)
}

interface Digest {
  readonly algorithm: string
  readonly value: string
}

/** The digest to check: sha512 of npm's publishing since 2017, or sha384 and sha256; sha1 alone is not believed. */
function strongestDigest(version: NpmVersion): Digest {
  const all = version.integrity.split(/\s+/).map((entry) => entry.split('?')[0] ?? '')
  for (const algorithm of ['sha512', 'sha384', 'sha256']) {
    const found = all.find((entry) => entry.startsWith(`${algorithm}-`))
    if (found !== undefined) return { algorithm, value: found.slice(algorithm.length + 1) }
  }
  throw failure(
    'SOURCE_INTEGRITY_UNSUPPORTED',
    `${version.name}@${version.version} has no sha512 digest in the registry`,
    version.tarball,
  )
}

async function unpack(
  body: AsyncIterable<Uint8Array>,
  expected: Digest,
  version: NpmVersion,
  options: ExtractOptions,
): Promise<number> {
  const hash = createHash(expected.algorithm)
  const source = Readable.from(hashed(body, hash, version), { objectMode: false })
  const gunzip = createGunzip()
  source.on('error', (error) => gunzip.destroy(error)).pipe(gunzip)
  const written: string[] = []
  try {
    const failed = await writeFiles(gunzip, version, options, written).then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    // Whatever is wrong inside, a wrong digest is the better explanation: it is computed over all that comes.
    if (failed !== undefined && source.errored === null) await drain(source)
    if (source.errored !== null) throw source.errored
    if (hash.digest('base64') !== expected.value) throw mismatch(version, expected)
    if (failed !== undefined) throw asArchiveError(failed.error, version)
    return written.length
  } catch (error) {
    for (const path of written) rmSync(path, { force: true })
    throw error
  } finally {
    gunzip.destroy()
    source.destroy()
  }
}

async function* hashed(
  body: AsyncIterable<Uint8Array>,
  hash: Hash,
  version: NpmVersion,
): AsyncGenerator<Uint8Array> {
  let received = 0
  for await (const chunk of body) {
    received += chunk.length
    if (received > LARGEST_ARCHIVE) throw tooLarge(version)
    hash.update(chunk)
    yield chunk
  }
}

async function writeFiles(
  tar: AsyncIterable<Uint8Array>,
  version: NpmVersion,
  options: ExtractOptions,
  written: string[],
): Promise<void> {
  const subject = `${version.name}@${version.version}`
  let left = options.maxBytes ?? DEFAULT_MAX_BYTES
  const chunks = tar[Symbol.asyncIterator]()
  const stream = { [Symbol.asyncIterator]: () => ({ next: () => chunks.next() }) }
  for await (const file of tarFiles(stream, subject)) {
    const inside = insidePackage(file.path)
    const target = inside === undefined ? undefined : options.select(inside)
    if (target === undefined) continue
    left -= file.size
    if (left < 0) throw tooLarge(version)
    written.push(target)
    await writeFile(file, target)
  }
  // What follows the end mark counts for the digest too.
  while ((await chunks.next()).done !== true);
}

/** The path below the archive's one top folder (`package/` by custom); undefined for what would lead out of it. */
function insidePackage(path: string): string | undefined {
  const [, ...parts] = path.split('/').filter((part) => part !== '' && part !== '.')
  const unsafe = path.startsWith('/') || path.includes('\0') || parts.includes('..')
  return unsafe || parts.length === 0 ? undefined : parts.join('/')
}

async function writeFile(file: TarFile, target: string): Promise<void> {
  mkdirSync(dirname(target), { recursive: true })
  const fd = openSync(target, 'w', file.executable ? 0o755 : 0o644)
  try {
    for await (const chunk of file.content)
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at)
  } finally {
    closeSync(fd)
  }
}

async function drain(source: Readable): Promise<void> {
  source.unpipe()
  await new Promise<void>((done) => {
    if (source.readableEnded || source.destroyed) return done()
    source.once('close', done).once('end', done).once('error', done).resume()
  })
}

function mismatch(version: NpmVersion, expected: Digest): SlipwayError {
  return failure(
    'SOURCE_INTEGRITY_MISMATCH',
    `the archive of ${version.name}@${version.version} is not the one that was published: its ${expected.algorithm} differs`,
    version.tarball,
    { hint: 'The mirror or a proxy on the way changed or truncated it; clear its cache of this package.' },
  )
}

function tooLarge(version: NpmVersion): SlipwayError {
  return failure(
    'SOURCE_ARCHIVE_TOO_LARGE',
    `the archive of ${version.name}@${version.version} is larger than allowed`,
    version.tarball,
  )
}

function asArchiveError(error: unknown, version: NpmVersion): unknown {
  const code = (error as { code?: unknown }).code
  if (error instanceof SlipwayError || typeof code !== 'string' || !code.startsWith('Z_')) return error
  return failure(
    'SOURCE_ARCHIVE_INVALID',
    `cannot unpack the archive of ${version.name}@${version.version}`,
    version.tarball,
    { cause: error },
  )
}
