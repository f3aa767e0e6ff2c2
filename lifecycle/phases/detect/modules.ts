import { type ContainerPath, joinPath } from '../../../core/container-path.ts'
import { SlipwayError } from '../../../core/error.ts'
import type { Root } from '../../../core/root.ts'
import { type ApiVersion, negotiateBuildpackApi } from '../../../spec/api-version.ts'
import {
  type BuildpackDescriptor,
  type ExtensionDescriptor,
  type ModuleInfo,
  parseBuildpackDescriptor,
  parseExtensionDescriptor,
} from '../../../spec/files/buildpack.ts'
import { formatModuleRef, type ModuleRef } from '../../../spec/files/module-ref.ts'
import type { OrderGroup } from '../../../spec/files/order.ts'
import type { SupportedTarget } from '../../../spec/files/target.ts'
import { escapeId, fileNameOf, nameOfFile } from '../../../spec/names.ts'
import { targetsOfBuildpack, targetsOfExtension } from '../../../spec/target.ts'

/** A buildpack or extension as it lies in the builder: `<buildpacks>/<id>/<version>` (cnb-spec O-6). */
export interface Module {
  readonly kind: 'buildpack' | 'extension'
  readonly directory: ContainerPath
  readonly info: ModuleInfo
  /** As written in its descriptor. */
  readonly api: string
  readonly apiVersion: ApiVersion
  /** Not empty: a composite, which is only its order. */
  readonly order: readonly OrderGroup[]
  /** What it can build for; inferred where the descriptor names none. Empty: nothing is known, everything goes. */
  readonly targets: readonly SupportedTarget[]
  readonly sbomFormats: readonly string[]
}

/** Finds modules by ID and version. @throws SlipwayError `LIFECYCLE_MODULE_MISSING`, `SPEC_…` */
export type LookUp = (kind: Module['kind'], ref: ModuleRef) => Module

/** A look-up in the builder's directories that reads each descriptor once. */
export function moduleStore(
  root: Root,
  directories: { readonly buildpacks: ContainerPath; readonly extensions?: ContainerPath },
): LookUp {
  const known = new Map<string, Module>()
  return (kind, ref) => {
    const key = `${kind} ${formatModuleRef(ref)}`
    const found = known.get(key) ?? readModule(root, kind, ref, directories)
    known.set(key, found)
    return found
  }
}

function readModule(
  root: Root,
  kind: Module['kind'],
  ref: ModuleRef,
  directories: { readonly buildpacks: ContainerPath; readonly extensions?: ContainerPath },
): Module {
  const base =
    kind === 'buildpack' ? directories.buildpacks : (directories.extensions ?? directories.buildpacks)
  const directory = joinPath(base, escapeId(ref.id), fileNameOf(ref.version))
  const file = joinPath(directory, `${kind}.toml`)
  const text = root.readText(file)
  if (text === undefined) {
    throw new SlipwayError(
      'LIFECYCLE_MODULE_MISSING',
      `failed to read ${kind} descriptor for ${formatModuleRef(ref)}: open ${nameOfFile(file)}: no such file or directory`,
      {
        subject: formatModuleRef(ref),
        hint: `The order names a ${kind} that the builder does not have.`,
        class: 'buildpack',
      },
    )
  }
  const source = { file: nameOfFile(file), class: 'buildpack' } as const
  const binFiles = root.list(joinPath(directory, 'bin')).map(({ name }) => name)
  const module =
    kind === 'buildpack'
      ? buildpackOf(parseBuildpackDescriptor(text, source), binFiles)
      : extensionOf(parseExtensionDescriptor(text, source), binFiles)
  const apiVersion = negotiateBuildpackApi(module.api, KIND_NAMES[kind], formatModuleRef(ref))
  return { ...module, kind, directory, apiVersion }
}

const KIND_NAMES = { buildpack: 'Buildpack', extension: 'Extension' } as const

type Described = Omit<Module, 'kind' | 'directory' | 'apiVersion'>

function buildpackOf(descriptor: BuildpackDescriptor, binFiles: readonly string[]): Described {
  const { api, buildpack, order } = descriptor
  const targets = targetsOfBuildpack(descriptor, binFiles)
  return { api, info: buildpack, order, targets, sbomFormats: buildpack.sbomFormats }
}

function extensionOf(descriptor: ExtensionDescriptor, binFiles: readonly string[]): Described {
  const { api, extension } = descriptor
  return {
    api,
    info: extension,
    order: [],
    targets: targetsOfExtension(descriptor, binFiles),
    sbomFormats: [],
  }
}
