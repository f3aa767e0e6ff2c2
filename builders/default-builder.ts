import { errorChain, SlipwayError, systemCode } from '../core/error.ts'
import type { Emit } from '../core/event.ts'
import { hostBytes } from '../core/root.ts'
import type { Image } from '../oci/image.ts'
import type { Layout } from '../oci/layout/layout.ts'
import type { XzPool } from '../sources/archive/xz.ts'
import type { OrderGroup } from '../spec/files/order.ts'
import { assembleBases, type BaseImages, type DebianSettings, storedBases } from './base/assemble.ts'
import { type Architecture, type Distribution, TRIXIE } from './base/packages.ts'
import { assembleBuilder } from './builder.ts'
import { checkLifecycleFiles, type LifecycleFiles } from './lifecycle-layers.ts'
import { type BuilderNames, defaultNames } from './names.ts'

export interface DefaultBuilderOptions {
  readonly layout: Layout
  /** Where packages are while they are needed and small memories are kept; a latin1 path. */
  readonly directory: string
  readonly architecture: Architecture
  readonly lifecycle: LifecycleFiles
  /** Folders of buildpacks, latin1 paths, in the order in which they are tried. */
  readonly buildpacks: readonly string[]
  readonly order?: readonly OrderGroup[]
  /** Of Slipway. */
  readonly version: string
  /** How Debian's archives are reached. Asked for only when packages are needed: an HTTP client costs time. */
  readonly debian: () => DebianSettings | Promise<DebianSettings>
  readonly distribution?: Distribution
  readonly names?: BuilderNames
  /** The run image's name in run.toml and in apps; default: its name in the store. */
  readonly runImage?: string
  /** Where else the run image can be had. */
  readonly runMirrors?: readonly string[]
  /** Ask the index for newer packages although images of the present recipe are there. Default false. */
  readonly refresh?: boolean
  readonly emit: Emit
  /** Ends an assembly: nothing of it stays but verified packages, for the next one. */
  readonly signal?: AbortSignal
  /** Threads to decompress with (the caller's to end); default: some of its own, one per core. */
  readonly xz?: XzPool
}

export interface DefaultBuilder {
  readonly builder: Image
  readonly run: Image
}

/**
 * The default builder and its run image in the local store, made where they are not there yet, of another recipe, or of
 * other buildpacks or another lifecycle. Where nothing changed this reads a few small files and asks nobody.
 * @throws SlipwayError `SOURCE_…`, `HTTP_…`, `BUILDERS_…`, `OCI_…`, `SPEC_…`
 */
export async function ensureDefaultBuilder(options: DefaultBuilderOptions): Promise<DefaultBuilder> {
  const distribution = options.distribution ?? TRIXIE
  const names = options.names ?? defaultNames(distribution.codename)
  try {
    checkLifecycleFiles(options.lifecycle)
    const { build, run } = await bases(options, distribution, names)
    const builder = await assembleBuilder({
      ...options,
      name: names.builder,
      build,
      run,
      runImages: [{ image: options.runImage ?? names.run, mirrors: options.runMirrors ?? [] }],
    })
    return { builder, run }
  } catch (error) {
    throw explained(error, options)
  }
}

const DISK_FULL = ['ENOSPC', 'EDQUOT']

/** What the file system refused, said for people; anything else as it is. */
function explained(error: unknown, { directory, layout }: DefaultBuilderOptions): unknown {
  const code = systemCode(error)
  if (code === undefined || error instanceof DOMException) return error
  const isFull = DISK_FULL.includes(code)
  const shown = hostBytes(directory).toString('utf8')
  return new SlipwayError(
    isFull ? 'BUILDERS_DISK_FULL' : 'BUILDERS_FILE_SYSTEM',
    isFull
      ? 'no space is left to assemble the builder'
      : `the builder could not be assembled: ${errorChain(error)}`,
    {
      subject: shown,
      hint: isFull
        ? `about 1.5 GB are needed in ${shown} and ${layout.directory} while it is assembled`
        : 'check that these folders can be written to',
      cause: error,
      class: 'infrastructure',
    },
  )
}

async function bases(
  options: DefaultBuilderOptions,
  distribution: Distribution,
  names: BuilderNames,
): Promise<BaseImages> {
  const { layout, architecture, directory, emit, signal, xz } = options
  const place = { layout, names, distribution, architecture }
  const stored = options.refresh === true ? undefined : await storedBases(place)
  if (stored !== undefined) return stored
  const debian = await options.debian()
  return assembleBases({
    ...place,
    directory,
    debian,
    emit,
    ...(signal === undefined ? {} : { signal }),
    ...(xz === undefined ? {} : { xz }),
  })
}
