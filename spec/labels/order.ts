import { goJson } from '../../core/go-json.ts'
import { readTable } from '../decode.ts'
import { type OrderGroup, readOrderGroups } from '../files/order.ts'
import type { FileSource } from '../files/source.ts'
import type { System, SystemBuildpack } from '../files/system.ts'
import { readSystemSides } from '../files/system.ts'
import { parseJson, readJson } from '../json.ts'

/** Labels `io.buildpacks.buildpack.order` and `…order-extensions` (cnb-spec DI-44): an array of groups. */
export function parseOrderLabel(text: string, source: FileSource): readonly OrderGroup[] {
  return readOrderGroups(readTable({ order: parseJson(text, source) }, source), 'order')
}

export function writeOrderLabel(order: readonly OrderGroup[]): string {
  return goJson(orderJson(order))
}

/** Label `io.buildpacks.buildpack.system`. */
export function parseSystemLabel(text: string, source: FileSource): System {
  return readSystemSides(readJson(text, source))
}

export function writeSystemLabel(system: System): string {
  const side = (buildpacks: readonly SystemBuildpack[]) => ({
    buildpacks:
      buildpacks.length === 0
        ? undefined
        : buildpacks.map(({ id, version, optional }) => ({ id, version, optional: optional || undefined })),
  })
  return goJson({ pre: side(system.pre), post: side(system.post) })
}

export function orderJson(order: readonly OrderGroup[]): unknown {
  return order.map(({ group }) => ({
    group: group.map(({ id, version, optional, execEnv }) => ({
      id,
      version,
      'exec-env': execEnv,
      optional: optional || undefined,
    })),
  }))
}
