import type { ContainerPath } from '../../../core/container-path.ts'
import { errorChain } from '../../../core/error.ts'
import type { Emit } from '../../../core/event.ts'
import type { Root } from '../../../core/root.ts'
import type { Digest } from '../../../oci/digest.ts'
import type { Cache } from '../../cache/cache.ts'
import type { LayerRecord, LayerRecords } from '../../cache/records.ts'
import { isSameState, isUntouched, settledState, type TreeState } from '../../cache/tree-state.ts'

/** The directory that a layer is made of, and who owns its entries in the tar. */
export interface RecallKey {
  readonly path: ContainerPath
  readonly owner: string
}

export interface Sums {
  readonly diffId: Digest
  readonly size: number
}

/** What is known of layers without reading them: cost follows change. */
export interface Recall {
  /**
   * To be called before a layer is read: whatever is written to it after the call makes the record void. `known` is
   * the tar that the directory would make, where nothing in it was touched since that was found out. `learn` is told
   * what came out.
   */
  begin(key: RecallKey): Promise<{
    readonly known: Sums | undefined
    readonly learn: (made: Partial<Sums>) => void
  }>
  /** Keeps what this export knows of its layers, and nothing else. */
  keep(): void
}

/** @param verify reads every layer, whatever is known of it */
export function recall(
  { root, emit, cache }: { readonly root: Root; readonly emit: Emit; readonly cache?: Cache },
  verify: boolean,
): Recall {
  const store = cache?.records
  const before: LayerRecords = verify ? new Map() : (store?.read() ?? new Map())
  const after = new Map<ContainerPath, LayerRecord>()
  // Where nothing can be said of how it is now, a look compares all the same.
  const isAsRecorded = ({ state: then }: LayerRecord, now: TreeState | undefined, path: ContainerPath) =>
    now === undefined ? isUntouched(root, path, then) : isSameState(then, now)
  return {
    async begin({ path, owner }) {
      const record = before.get(path)
      // One look says both: whether it is as it was, and how it is now.
      const state = store && (await settledState(root, path))
      if (record?.owner === owner && isAsRecorded(record, state, path)) {
        // A layer that had to be read all the same, and came out otherwise, is not taken on trust again.
        const learn = ({ diffId }: Partial<Sums>) =>
          void (diffId === record.diffId && after.set(path, record))
        return { known: record, learn }
      }
      return {
        known: undefined,
        learn({ diffId, size }) {
          if (state === undefined || diffId === undefined || size === undefined) return
          after.set(path, { diffId, size, owner, state })
        },
      }
    },
    keep() {
      try {
        store?.write(after)
      } catch (error) {
        emit({ type: 'warning', message: `Failed to keep the record of layers: ${errorChain(error)}` })
      }
    },
  }
}
