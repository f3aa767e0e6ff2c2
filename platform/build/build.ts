import { createHash } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Emit } from '../../core/event.ts'
import { mountedRoot } from '../../core/root.ts'
import { cacheDirectory } from '../../lifecycle/cache/directory.ts'
import type { ImageAccess } from '../../lifecycle/context.ts'
import { create } from '../../lifecycle/create.ts'
import { inStep, type StepOf } from '../../lifecycle/phases/steps.ts'
import { type Reference, referenceName, sameRepository } from '../../oci/reference.ts'
import { type ApiVersion, parseApiVersion } from '../../spec/api-version.ts'
import { createSandbox } from '../sandbox/sandbox.ts'
import type { Session } from '../session.ts'
import { type Builder, openBuilder } from './builder.ts'
import { createBuildDirectory } from './directory.ts'
import { buildSettings } from './host-settings.ts'
import { keptLayers } from './kept-layers.ts'
import type { BuildRequest } from './request.ts'

/** The Platform API that the command speaks with its own lifecycle. */
const PLATFORM_API: ApiVersion = parseApiVersion('0.15')

export interface BuildResult {
  /** Digest of the image's manifest. */
  readonly digest: string
}

/**
 * Builds an image from source code: makes the default builder ready, copies the application, and runs the phases over
 * them. Buildpacks' programs run in the sandbox; analyze, restore and export stay outside of it with the credentials.
 * @throws SlipwayError with the failing phase's exit code.
 */
export async function buildImage(request: BuildRequest, session: Session, emit: Emit): Promise<BuildResult> {
  const step = <T>(name: StepOf<'platform'>, work: () => T | Promise<T>) =>
    inStep(emit, 'platform', name, work)
  const builder = await step('open builder', () => openBuilder(session, emit, request.refreshBuilder))
  const images = await imageAccess(request, session, builder, emit)
  const { env, directories, settings, program } = session
  const given = await buildSettings(request, { env, home: env.HOME })
  using directory = await step('copy app', () =>
    createBuildDirectory({
      parent: join(directories.cache, 'builds'),
      app: request.app,
      home: builder.home,
      platform: given.files,
    }),
  )
  using _directory = session.onAbandon(() => directory[Symbol.dispose]())
  await using sandbox = await step('make sandbox', () =>
    createSandbox({
      rootfs: builder.rootfs,
      mounts: directory.mounts,
      user: { uid: builder.uid, gid: builder.gid },
      baseEnvironment: { ...builder.environment, ...given.environment, HOME: builder.home },
      network: request.network,
      helper: program.sandboxHelper,
      ...(settings.sandbox === undefined ? {} : { driver: settings.sandbox }),
    }),
  )
  using _sandbox = session.onAbandon(() => sandbox[Symbol.asyncDispose]())
  const root = mountedRoot(builder.rootfs, directory.mounts)
  const layers = layersDirectory(request, directories.cache)
  const cache = cacheDirectory(layers)
  const kept = keptLayers({ store: join(layers, 'kept'), build: directory.path, root })
  const created = await create(
    {
      images: [referenceName(request.image), ...request.tags.map(referenceName)],
      owner: { uid: builder.uid, gid: builder.gid },
      verify: request.verify,
      compression: request.compression,
      ...(request.previousImage === undefined ? {} : { previousImage: referenceName(request.previousImage) }),
      ...(request.defaultProcess === undefined ? {} : { processType: request.defaultProcess }),
      ...(request.created === undefined ? {} : { sourceDateEpoch: String(request.created) }),
    },
    {
      root,
      emit,
      platformApi: PLATFORM_API,
      images,
      runner: sandbox,
      cache,
      kept,
    },
  )
  await step('keep layers', () => kept.keep(cache))
  return created
}

/** The cache directory of an image name; the tag counts, the registry's reachability does not. */
function layersDirectory(request: BuildRequest, cache: string): string {
  const name = referenceName(request.image)
  const directory = join(cache, 'layers', createHash('sha256').update(name).digest('hex').slice(0, 32))
  if (request.clearCache) rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  return directory
}

/** The builder's run image is in the local store; the app image too, unless it is published. */
async function imageAccess(
  request: BuildRequest,
  { store, registry }: Session,
  builder: Builder,
  emit: Emit,
): Promise<ImageAccess> {
  if (!request.publish) return { repository: (reference) => store.repository(reference) }
  const remote = await registry(emit, request.insecureRegistries)
  const isLocal = (reference: Reference): boolean =>
    builder.local.some((local) => sameRepository(local, reference))
  return {
    repository: (reference) =>
      isLocal(reference) ? store.repository(reference) : remote.repository(reference),
  }
}
