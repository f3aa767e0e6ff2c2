import { SlipwayError } from '../core/error.ts'
import { redact } from '../core/http/redact.ts'
import { type Digest, isDigest } from './digest.ts'

/**
 * Names of images, read as go-containerregistry's weak validation reads them (cnb-spec C-11): Docker Hub where no registry
 * is named, `library/` before its one-part names, `latest` where neither tag nor digest is given.
 */

/** A parsed name: plain data, equal names are equal data. At least one of `tag` and `digest` is there. */
export interface Reference {
  /** Host with port where one was given: `index.docker.io`, `127.0.0.1:5000`, `[::1]:5000`. */
  readonly registry: string
  /** Path below the registry, `library/` included: `library/ubuntu`. */
  readonly repository: string
  /** `latest` where the text names neither tag nor digest; absent where it names a digest alone. */
  readonly tag?: string
  /** Wins over the tag where both are given. */
  readonly digest?: Digest
}

export const DEFAULT_REGISTRY = 'index.docker.io'
export const DEFAULT_TAG = 'latest'

const ALIASES = new Set(['docker.io', DEFAULT_REGISTRY])
/** Distribution spec: `..` must not become part of a URL either. */
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/
/** Distribution spec. go-containerregistry only looks at the alphabet, which would let `a/../b` into a URL. */
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$/
const IPV6 = /^\[[0-9A-Fa-f:.]+\]$/

/**
 * Parses `[registry/]repository[:tag][@digest]`.
 * @throws SlipwayError `OCI_REFERENCE_INVALID` (exit code 3, cnb-spec §2.1) naming the part that is wrong.
 */
export function parseReference(text: string): Reference {
  const [named, digestText, more] = splitOnce(text, '@')
  if (more) throw invalid(text, 'it holds more than one @')
  let digest: Digest | undefined
  if (digestText !== undefined) {
    if (!isDigest(digestText))
      throw invalid(text, `the digest ${quote(digestText)} is not sha256: and 64 lower-case hex digits`)
    digest = digestText
  }
  const { base, tag } = splitTag(text, named)
  const { registry, repository } = splitRepository(text, base)
  return {
    registry,
    repository,
    ...(tag !== undefined ? { tag } : digest === undefined ? { tag: DEFAULT_TAG } : {}),
    ...(digest === undefined ? {} : { digest }),
  }
}

/** Whether a text can be the path of a repository, and so a part of a URL of its registry. */
export function isRepositoryPath(text: string): boolean {
  return text.length >= 2 && text.length <= 255 && REPOSITORY.test(text)
}

/** Registry and path, without tag and digest: `index.docker.io/library/ubuntu`. */
export function repositoryName(reference: Reference): string {
  return `${reference.registry}/${reference.repository}`
}

/**
 * The full name, as go-containerregistry's `Name()`: `index.docker.io/library/ubuntu:latest`, or
 * `…/ubuntu@sha256:…` where there is a digest (the tag is left out then). {@link parseReference} reads it back.
 */
export function referenceName(reference: Reference): string {
  return reference.digest === undefined
    ? `${repositoryName(reference)}:${reference.tag ?? DEFAULT_TAG}`
    : `${repositoryName(reference)}@${reference.digest}`
}

/** What a registry is asked for: the digest where there is one, else the tag. */
export function identifier(reference: Reference): string {
  return reference.digest ?? reference.tag ?? DEFAULT_TAG
}

/** The name as people write it: Docker Hub and `library/` left out, the tag only where it is not `latest`. */
export function familiarName(reference: Reference): string {
  const hub = reference.registry === DEFAULT_REGISTRY
  const short = reference.repository.startsWith('library/')
    ? reference.repository.slice('library/'.length)
    : reference.repository
  // `library/a/b` shortened to `a/b` would be another repository, and `a.b/c` another registry.
  const repository = short.includes('/') ? reference.repository : short
  const name =
    hub && !looksLikeRegistry(repository) ? repository : `${reference.registry}/${reference.repository}`
  if (reference.digest !== undefined) return `${name}@${reference.digest}`
  return reference.tag === undefined || reference.tag === DEFAULT_TAG ? name : `${name}:${reference.tag}`
}

/** Whether both stand in the same repository of the same registry; tags and digests may differ. Hosts ignore case. */
export function sameRepository(a: Reference, b: Reference): boolean {
  return sameRegistry(a, b) && a.repository === b.repository
}

/** Whether both stand in one registry, so that blobs can be mounted between them. */
export function sameRegistry(a: Reference, b: Reference): boolean {
  return a.registry.toLowerCase() === b.registry.toLowerCase()
}

/** The same repository at a digest; the tag goes, for it may move on (run image references in analyzed.toml). */
export function withDigest(reference: Reference, digest: Digest): Reference {
  return { registry: reference.registry, repository: reference.repository, digest }
}

/** The same repository at a tag. @throws SlipwayError `OCI_REFERENCE_INVALID` */
export function withTag(reference: Reference, tag: string): Reference {
  checkTag(`${repositoryName(reference)}:${tag}`, tag)
  return { registry: reference.registry, repository: reference.repository, tag }
}

/**
 * The key under which a tagged image is kept in a local store: two texts that mean one tag give one key
 * (`hello`, `docker.io/library/hello:latest` → `index.docker.io/library/hello:latest`). Undefined for a digest alone.
 */
export function tagKey(reference: Reference): string | undefined {
  if (reference.tag === undefined) return undefined
  return `${reference.registry.toLowerCase()}/${reference.repository}:${reference.tag}`
}

function splitTag(text: string, named: string): { base: string; tag?: string } {
  const colon = named.lastIndexOf(':')
  // A colon before the last slash is the port of a registry.
  if (colon < 0 || named.indexOf('/', colon) >= 0) return { base: named }
  const tag = named.slice(colon + 1)
  checkTag(text, tag)
  return { base: named.slice(0, colon), tag }
}

function checkTag(text: string, tag: string): void {
  if (tag === '') throw invalid(text, 'nothing follows the colon; a tag belongs there')
  if (tag.length > 128) throw invalid(text, `the tag has ${tag.length} characters, at most 128 are allowed`)
  if (!TAG.test(tag)) {
    const rule = 'may hold only letters, digits, "_", "-" and ".", and not begin with "-" or "."'
    throw invalid(text, `the tag ${quote(tag)} ${rule}`)
  }
}

function splitRepository(text: string, base: string): { registry: string; repository: string } {
  if (base === '') throw invalid(text, 'the repository is missing')
  const slash = base.indexOf('/')
  const first = slash < 0 ? '' : base.slice(0, slash)
  const explicit = slash >= 0 && /[.:]/.test(first)
  const registry = explicit ? checkRegistry(text, first) : DEFAULT_REGISTRY
  const path = explicit ? base.slice(slash + 1) : base
  if (path.length < 2 || path.length > 255) {
    throw invalid(text, `the repository ${quote(path)} has ${path.length} characters, 2 to 255 are allowed`)
  }
  if (!REPOSITORY.test(path)) throw invalid(text, `the repository ${quote(path)} ${complaint(path)}`)
  const repository = registry === DEFAULT_REGISTRY && !path.includes('/') ? `library/${path}` : path
  if (repository.length > 255)
    throw invalid(text, 'the repository with library/ has more than 255 characters')
  return { registry, repository }
}

function checkRegistry(text: string, registry: string): string {
  const port = /:(\d+)$/.exec(registry)
  const host = port === null ? registry : registry.slice(0, port.index)
  if (port !== null && Number(port[1]) > 65_535)
    throw invalid(text, `the registry's port ${port[1]} is above 65535`)
  // A URL takes a name whose last part is a number for an address, and `a0.0` is none.
  const isHost = (HOST_NAME.test(host) || IPV6.test(host)) && URL.canParse(`https://${registry}`)
  if (!isHost) {
    throw invalid(text, `the registry ${quote(registry)} is not a host name or address with an optional port`)
  }
  return ALIASES.has(registry.toLowerCase()) ? DEFAULT_REGISTRY : registry
}

function looksLikeRegistry(repository: string): boolean {
  const slash = repository.indexOf('/')
  return slash >= 0 && /[.:]/.test(repository.slice(0, slash))
}

function complaint(path: string): string {
  if (/[A-Z]/.test(path)) return 'must be lower case'
  if (/[^a-z0-9_./-]/.test(path)) return 'may hold only lower-case letters, digits, "_", "-", "." and "/"'
  if (path.split('/').includes('')) return 'has an empty part'
  return 'has a part that does not begin and end with a letter or digit, or doubles a separator'
}

function splitOnce(text: string, separator: string): [string, string | undefined, boolean] {
  const [first = '', second, ...rest] = text.split(separator)
  return [first, second, rest.length > 0]
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text)
}

function invalid(text: string, why: string): SlipwayError {
  return new SlipwayError('OCI_REFERENCE_INVALID', redact(`not an image name: ${quote(text)}: ${why}`), {
    subject: redact(text.slice(0, 300)),
    hint: 'an image name looks like registry.example:5000/team/app:tag or team/app@sha256:…',
    class: 'usage',
    exitCode: 3,
  })
}
