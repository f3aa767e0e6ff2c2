import { createHash, randomBytes } from 'node:crypto'
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../../core/error.ts'
import type { Emit } from '../../core/event.ts'
import { redact } from '../../core/http/index.ts'
import { hostBytes } from '../../core/root.ts'
import { type DebianAccess, type DebianArchive, digestError, download } from './archive.ts'
import type { PackageRecord } from './packages.ts'

/** A package whose bytes are on this machine and have the digest that the signed index gives. */
export interface FetchedPackage {
  readonly record: PackageRecord
  /** Path of the .deb in the folder of this call; a latin1 path. */
  readonly path: string
}

export interface FetchOptions {
  /**
   * Where packages are kept between calls, named by digest: another process may empty it at any moment. A latin1 path.
   */
  readonly directory: string
  /** A folder of this call alone, on the same file system: what is fetched stays there as long as it is needed. */
  readonly workDirectory: string
  readonly emit: Emit
  /** Name of the task whose progress is told (`task-progress`, bytes). */
  readonly task: string
  /** Downloads at a time; default 6. */
  readonly concurrency?: number
}

/** Progress is told at most once per this many bytes. */
const PROGRESS_STEP = 512 * 1024

/**
 * Brings packages to this machine, several at a time. What is there already is verified, not fetched; what is fetched is
 * verified while it streams and appears under its name only then. The first failure ends all others.
 * @throws SlipwayError `SOURCE_DEBIAN_DIGEST_WRONG`, `HTTP_…`
 */
export async function fetchPackages(
  access: DebianAccess,
  archives: readonly DebianArchive[],
  records: readonly PackageRecord[],
  options: FetchOptions,
): Promise<readonly FetchedPackage[]> {
  const { directory, workDirectory, emit, task } = options
  const total = records.reduce((sum, { size }) => sum + size, 0)
  let done = 0
  let told = 0
  const advance = (bytes: number): void => {
    done += bytes
    if (done - told < PROGRESS_STEP && done !== total) return
    told = done
    emit({ type: 'task-progress', task, done, total, unit: 'bytes' })
  }

  const stop = new AbortController()
  const signal = access.signal === undefined ? stop.signal : AbortSignal.any([access.signal, stop.signal])
  // The largest first, so that none of them is left alone at the end.
  const queue = [...records].sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1))
  const work = async (): Promise<void> => {
    for (let record = queue.shift(); record !== undefined; record = queue.shift()) {
      signal.throwIfAborted()
      const path = packagePath(workDirectory, record)
      if (link(packagePath(directory, record), path) && isWhole(path, record)) {
        advance(record.size)
        continue
      }
      const archive = archives.find(({ name }) => name === record?.archive)
      if (archive === undefined) throw new Error(`no archive ${record.archive}`)
      await fetchOne({ ...access, signal }, archive.uri + encode(record.filename), record, path, advance)
      mkdirSync(hostBytes(directory), { recursive: true })
      link(path, packagePath(directory, record))
    }
  }
  const stopOthers = (error: unknown): never => {
    stop.abort(error)
    throw error
  }
  const workers = Array.from({ length: options.concurrency ?? 6 }, () => work().catch(stopOthers))
  // Nobody may still be writing when this returns.
  await Promise.allSettled(workers)
  if (stop.signal.aborted) throw stop.signal.reason
  return records.map((record) => ({ record, path: packagePath(workDirectory, record) }))
}

/** Where a package stands in a directory of packages. */
export function packagePath(directory: string, record: PackageRecord): string {
  return join(directory, `${record.sha256}.deb`)
}

/** A second name for a file, in place of whatever has it; false where there is no such file. Its bytes are shared, not copied. */
function link(from: string, to: string): boolean {
  try {
    rmSync(hostBytes(to), { force: true })
    linkSync(hostBytes(from), hostBytes(to))
    return true
  } catch (error) {
    // EEXIST: another process was quicker, with the same bytes.
    if (['ENOENT', 'EEXIST'].includes(systemCode(error) ?? '')) return false
    throw error
  }
}

function isWhole(path: string, record: PackageRecord): boolean {
  return statSync(hostBytes(path)).size === record.size && hashFile(path) === record.sha256
}

function hashFile(path: string): string {
  const hash = createHash('sha256')
  const fd = openSync(hostBytes(path), 'r')
  try {
    const buffer = new Uint8Array(1024 * 1024)
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer))
      hash.update(buffer.subarray(0, read))
  } finally {
    closeSync(fd)
  }
  return hash.digest('hex')
}

async function fetchOne(
  access: DebianAccess,
  url: string,
  record: PackageRecord,
  path: string,
  advance: (bytes: number) => void,
): Promise<void> {
  const temporary = hostBytes(`${path}.${randomBytes(6).toString('hex')}.tmp`)
  await download(access, url, async (response) => {
    const hash = createHash('sha256')
    let size = 0
    const fd = openSync(temporary, 'w')
    try {
      for await (const chunk of response.body) {
        size += chunk.length
        if (size > record.size) break
        hash.update(chunk)
        for (let written = 0; written < chunk.length; ) written += writeSync(fd, chunk, written)
        advance(chunk.length)
      }
      const actual = hash.digest('hex')
      if (actual !== record.sha256 || size !== record.size)
        throw digestError(redact(url), record, actual, size)
    } catch (error) {
      advance(-size)
      rmSync(temporary, { force: true })
      throw error
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, hostBytes(path))
  })
}

/** A file name may hold `+`, `~` and an escaped `%3a`: it goes into the address as it is, but for the per cent sign. */
function encode(filename: string): string {
  return filename.replaceAll('%', '%25')
}
