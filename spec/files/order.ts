import type { Reader } from '../decode.ts'
import { struct, type TomlStruct, writeToml } from '../toml/write.ts'
import { type ModuleRef, readModuleRef } from './module-ref.ts'
import { type FileSource, optional, readDocument } from './source.ts'

/** A member of an order's group: a buildpack, a composite, or an extension. */
export interface OrderElement extends ModuleRef {
  readonly optional: boolean
  /** Execution environments that the entry is for (Buildpack API 0.12); absent: all. */
  readonly execEnv?: readonly string[]
}

export interface OrderGroup {
  readonly group: readonly OrderElement[]
}

/** order.toml (cnb-spec §2.11). Extensions are always optional, whatever the file says. */
export interface Order {
  readonly order: readonly OrderGroup[]
  readonly orderExtensions: readonly OrderGroup[]
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseOrder(text: string, source: FileSource): Order {
  const document = readDocument(text, source)
  return {
    order: readOrderGroups(document, 'order'),
    orderExtensions: readOrderGroups(document, 'order-extensions').map(({ group }) => ({
      group: group.map((element) => ({ ...element, optional: true })),
    })),
  }
}

export function writeOrder(order: Order): string {
  const extensions = order.orderExtensions.map(({ group }) => ({
    group: group.map((element) => ({ ...element, optional: false })),
  }))
  return writeToml(
    struct({
      order: orderStructs(order.order),
      'order-extensions': extensions.length === 0 ? undefined : orderStructs(extensions),
    }),
  )
}

/** The groups of an order: also of the `order` in a composite's buildpack.toml. */
export function readOrderGroups(document: Reader, key: string): readonly OrderGroup[] {
  return document.tables(key).map((group) => ({
    group: group.tables('group').map((element) => ({
      ...readModuleRef(element),
      optional: element.flag('optional'),
      ...optional('execEnv', element.strings('exec-env')),
    })),
  }))
}

export function orderStructs(groups: readonly OrderGroup[]): TomlStruct[] {
  return groups.map(({ group }) =>
    struct({
      group: group.map((element) =>
        struct({
          id: element.id,
          version: element.version,
          optional: element.optional || undefined,
          'exec-env': element.execEnv,
        }),
      ),
    }),
  )
}
