import { SlipwayError } from '../../core/error.ts'
import { createRetrier } from '../../core/http/retry.ts'
import type { Digest } from '../digest.ts'
import type { Repository } from '../image.ts'
import { identifier, type Reference, repositoryName } from '../reference.ts'
import { createLeases } from '../sharing/leases.ts'
import { verifyAccess } from './access.ts'
import { memoised } from './credentials/chain.ts'
import { blobSize, openBlob, openBlobFrom } from './download.ts'
import { isInsecure } from './endpoint.ts'
import { deleteManifest, getManifest, manifestDigest, putManifest } from './manifests.ts'
import { mirrored } from './mirrored.ts'
import { mountBlob } from './mount.ts'
import { insecureEntries, pullPlaces, ruleFor } from './pull-rules.ts'
import { putBlob } from './put-blob.ts'
import { enterFallback, listReferrers, subjectOf } from './referrers.ts'
import { createSession, type Session } from './session.ts'
import { listTags } from './tags.ts'
import { newTargetState, type Target, type TargetState } from './target.ts'
import type { Registry, RegistryOptions, RegistryRepository } from './types.ts'

/** The paths of our own repositories, for mounts between them. */
const paths = new WeakMap<Repository, string>()

/**
 * Registries over one HTTP client. Connections, tokens and what is known of blobs are shared by all repositories that it
 * gives out, so a process makes one.
 */
export function createRegistry(options: RegistryOptions): Registry {
  const emit = options.emit ?? (() => {})
  const retrier = createRetrier({
    ...options.retry,
    onRetry: (retry) => {
      emit({ type: 'debug', message: `again in ${retry.milliseconds} ms: ${retry.reason}` })
      options.retry?.onRetry?.(retry)
    },
  })
  const credentials = memoised(options.credentials ?? (async () => undefined))
  const sessions = new Map<string, Session>()
  const states = new Map<string, TargetState>()
  const sharing = options.sharing ?? { leases: createLeases() }

  const rules = options.rules ?? []
  const insecureHosts = [...(options.insecure ?? []), ...rules.flatMap(insecureEntries)]
  /** Origins of mirrors that have failed. */
  const failed = new Set<string>()

  const sessionFor = (reference: Reference): Session => {
    const insecure =
      isInsecure(reference.registry, reference.repository, insecureHosts) ||
      ruleFor(rules, reference)?.insecure === true
    const key = `${reference.registry.toLowerCase()} ${insecure}`
    let session = sessions.get(key)
    if (session === undefined) {
      session = createSession({
        http: options.http,
        registry: reference.registry,
        insecure,
        isInsecureHost: (host) => isInsecure(host, '', insecureHosts),
        credentials,
        retrier,
        emit,
      })
      sessions.set(key, session)
    }
    return session
  }

  const open = (reference: Reference): { repository: RegistryRepository; state: TargetState } => {
    const name = repositoryName(reference)
    const state = states.get(name) ?? newTargetState()
    states.set(name, state)
    const session = sessionFor(reference)
    const target = { session, path: reference.repository, name, retrier, emit, state, ...sharing }
    return { repository: createRepository(target, reference), state }
  }

  return {
    repository(reference) {
      const rule = ruleFor(rules, reference)
      if (rule?.blocked === true) throw blocked(reference)
      const { repository, state } = open(reference)
      const places = rule === undefined ? [] : pullPlaces(rule, reference)
      if (places.length === 0) return repository
      const others = places.map(({ reference, serves }) => ({ ...open(reference), serves }))
      const last = rule?.location === undefined ? repository : others.pop()?.repository
      const reading = mirrored(repository, {
        mirrors: others,
        last: last ?? repository,
        isWritten: () => state.writes,
        failed,
        emit,
      })
      // Its blobs are mounted from it as from the repository itself.
      paths.set(reading, reference.repository)
      return reading
    },
  }
}

function blocked(reference: Reference): SlipwayError {
  const name = repositoryName(reference)
  return new SlipwayError('OCI_REGISTRY_BLOCKED', `registries.conf blocks ${name}`, {
    subject: name,
    hint: 'registries.conf of this machine has `blocked = true` for it',
    class: 'usage',
  })
}

function createRepository(target: Target, reference: Reference): RegistryRepository {
  const repository: RegistryRepository = {
    reference,
    name: target.name,
    origin: `registry:${reference.registry.toLowerCase()}`,
    verifyAccess: (use) => verifyAccess(target, use, identifier(reference)),
    blobSize: (digest) => blobSize(target, digest),
    openBlob: (digest, size) => openBlob(target, digest, size),
    openBlobFrom: (digest, offset, size) => openBlobFrom(target, digest, offset, size),
    putBlob: (source) => putBlob(target, source),
    mountBlob: async (digest: Digest, from: Repository) => {
      const path = paths.get(from)
      return (
        path !== undefined && from.origin === repository.origin && (await mountBlob(target, digest, path))
      )
    },
    getManifest: (name) => getManifest(target, name),
    putManifest: async (bytes, mediaType, tags) => {
      const { digest, subjectNoted } = await putManifest(target, bytes, mediaType, tags)
      const subject = subjectOf(bytes)
      if (subject !== undefined && !subjectNoted) await enterFallback(target, bytes, mediaType, subject)
      return digest
    },
    referrers: (digest, artifactType) => listReferrers(target, digest, artifactType),
    manifestDigest: (name) => manifestDigest(target, name),
    tags: () => listTags(target),
    deleteManifest: (name) => deleteManifest(target, name),
  }
  paths.set(repository, target.path)
  return repository
}
