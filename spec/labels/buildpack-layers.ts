import { GoMap, goJson } from '../../core/go-json.ts'
import type { Reader } from '../decode.ts'
import type { StackSupport } from '../files/buildpack.ts'
import { type OrderGroup, readOrderGroups } from '../files/order.ts'
import { type FileSource, optional, orAbsent, someOrAbsent } from '../files/source.ts'
import { type Distro, readSupportedTarget, type SupportedTarget } from '../files/target.ts'
import { readJson } from '../json.ts'
import { type BuildpackId, parseBuildpackId } from '../names.ts'
import { orderJson } from './order.ts'

/** One version of a buildpack or extension in an image. */
export interface ModuleLayer {
  readonly api: string
  readonly stacks: readonly StackSupport[]
  readonly targets: readonly SupportedTarget[]
  readonly order: readonly OrderGroup[]
  /** The layer that holds it; several modules may share one. */
  readonly layerDiffId: string
  readonly homepage?: string
  readonly name?: string
}

/** Labels `io.buildpacks.buildpack.layers` and `io.buildpacks.extension.layers` (cnb-spec DI-24): by ID, then by version. */
export type ModuleLayers = ReadonlyMap<BuildpackId, ReadonlyMap<string, ModuleLayer>>

/** @throws SlipwayError `SPEC_JSON_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseModuleLayers(text: string, source: FileSource): ModuleLayers {
  const document = readJson(text, source)
  return new Map(
    document.keys.map((id) => {
      const versions = document.table(id)
      const layers = (versions?.keys ?? []).map((version) => [version, readLayer(versions, version)] as const)
      return [document.parsedKey(id, parseBuildpackId), new Map(layers)]
    }),
  )
}

export function writeModuleLayers(modules: ModuleLayers): string {
  return goJson(
    new GoMap(
      [...modules].map(([id, versions]) => [
        id,
        new GoMap([...versions].map(([version, layer]) => [version, layerJson(layer)])),
      ]),
    ),
  )
}

function readLayer(versions: Reader | undefined, version: string): ModuleLayer {
  const table = versions?.table(version)
  return {
    api: table?.text('api') ?? '',
    stacks: (table?.tables('stacks') ?? []).map((stack) => ({
      id: stack.text('id'),
      mixins: stack.strings('mixins') ?? [],
    })),
    targets: (table?.tables('targets') ?? []).map(readSupportedTarget),
    order: table === undefined ? [] : readOrderGroups(table, 'order'),
    layerDiffId: table?.text('layerDiffID') ?? '',
    ...optional('homepage', orAbsent(table?.text('homepage'))),
    ...optional('name', orAbsent(table?.text('name'))),
  }
}

function layerJson(layer: ModuleLayer): unknown {
  return {
    api: layer.api,
    stacks: someOrAbsent(layer.stacks.map(stackJson)),
    targets: someOrAbsent(layer.targets.map(targetJson)),
    order: layer.order.length === 0 ? undefined : orderJson(layer.order),
    layerDiffID: layer.layerDiffId,
    homepage: layer.homepage,
    name: layer.name,
  }
}

export function stackJson({ id, mixins }: StackSupport): unknown {
  return { id, mixins: someOrAbsent(mixins) }
}

function targetJson({ os, arch, archVariant, distros }: SupportedTarget): unknown {
  return {
    os,
    arch,
    variant: orAbsent(archVariant),
    distros: someOrAbsent(distros.map(distroJson)),
  }
}

function distroJson({ name, version }: Distro): unknown {
  return { name: orAbsent(name), version: orAbsent(version) }
}
