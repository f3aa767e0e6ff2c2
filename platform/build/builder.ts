import { join } from 'node:path'
import { ensureDefaultBuilder } from '../../builders/default-builder.ts'
import type { LifecycleFiles } from '../../builders/lifecycle-layers.ts'
import { defaultNames } from '../../builders/names.ts'
import type { ContainerPath } from '../../core/container-path.ts'
import { SlipwayError } from '../../core/error.ts'
import type { Emit } from '../../core/event.ts'
import type { Image } from '../../oci/image.ts'
import { parseReference, type Reference } from '../../oci/reference.ts'
import { environmentOf } from '../image/environment.ts'
import { imageUser } from '../image/user.ts'
import type { Program } from '../program.ts'
import type { Session } from '../session.ts'

/** A builder that is ready to be used: its image, its unpacked root, and what its configuration says. */
export interface Builder {
  readonly image: Image
  /** Folder of this machine, shared and only ever shown read-only. */
  readonly rootfs: string
  readonly uid: number
  readonly gid: number
  readonly environment: Readonly<Record<string, string>>
  /** The build user's home directory. */
  readonly home: ContainerPath
  /** Names whose images stand in the local store whatever registry they name: its run images. */
  readonly local: readonly Reference[]
}

const HTTP_SETTINGS = {
  main: 'debian.mirror in config.toml, or SLIPWAY_DEBIAN_MIRROR',
  security: 'debian.security-mirror in config.toml, or SLIPWAY_DEBIAN_SECURITY_MIRROR',
}

/**
 * The default builder, assembled where it is not there yet and unpacked once. Where nothing changed this reads a few
 * small files and asks nobody; with `refresh` the index is asked, and newer packages make new images.
 * @throws SlipwayError `SOURCE_…` where Debian's packages cannot be had, `BUILDER_INVALID`
 */
export async function openBuilder(session: Session, emit: Emit, refresh = false): Promise<Builder> {
  const { program, store, settings, directories } = session
  const names = {
    ...defaultNames('trixie'),
    ...(settings.runImage === undefined ? {} : { run: settings.runImage }),
  }
  const { builder } = await ensureDefaultBuilder({
    layout: store.layout,
    directory: join(directories.cache, 'debian'),
    architecture: program.architecture,
    lifecycle: lifecycleFiles(program),
    buildpacks: Object.values(program.buildpacks),
    version: program.version,
    refresh,
    names,
    debian: () => debianSettings(session),
    emit,
  })
  // The base has a root of its own, so that a builder with other buildpacks is unpacked in no time.
  const base = await store.image(parseReference(names.build))
  if (base !== undefined) await store.unpack(base, 'Unpacking the build image', emit)
  const rootfs = await store.unpack(builder, 'Unpacking the builder', emit)
  return { ...describe(builder, rootfs), local: [parseReference(names.run)] }
}

function lifecycleFiles({ node, starter, launcher, lifecycle }: Program): LifecycleFiles {
  const { 'lifecycle.cjs': bundle = '', ...others } = lifecycle
  return { node, starter, launcher, bundle, others }
}

async function debianSettings({ settings, http }: Session) {
  const { readAptHost } = await import('../../sources/debian/apt-host.ts')
  const host = readAptHost()
  const own = (mirror: string | undefined): readonly string[] =>
    mirror === undefined ? [] : [mirror.replace(/\/*$/, '/')]
  return {
    http: await http(host.proxies),
    archives: {
      main: [...own(settings.debianMirror), ...host.archives.main],
      security: [...own(settings.debianSecurityMirror), ...host.archives.security],
    },
    settings: HTTP_SETTINGS,
    checkValidity: host.checksValidity,
  }
}

function describe(image: Image, rootfs: string): Omit<Builder, 'local'> {
  const environment = environmentOf(image)
  const number = (name: string): number => {
    const value = environment[name] ?? ''
    if (/^\d{1,10}$/.test(value)) return Number(value)
    throw new SlipwayError('BUILDER_INVALID', `the builder's ${name} is not a number`, {
      subject: image.repository.name,
      hint: 'a builder image sets CNB_USER_ID and CNB_GROUP_ID in its environment',
      class: 'usage',
    })
  }
  const uid = number('CNB_USER_ID')
  return {
    image,
    rootfs,
    environment,
    uid,
    gid: number('CNB_GROUP_ID'),
    home: imageUser(rootfs, String(uid)).home,
  }
}
