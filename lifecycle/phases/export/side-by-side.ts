/** How many layers are worked on at once: compression has threads of its own, this keeps disk and network busy. */
export const LAYERS_AT_ONCE = 2

/**
 * Runs work over items, at most `limit` at a time, and gives the results in the order of the items. After a failure
 * nothing new is begun; what runs is waited for, so that nothing goes on behind the caller's back, and then the failure
 * of the earliest item is thrown.
 */
export async function sideBySide<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
  limit = LAYERS_AT_ONCE,
): Promise<R[]> {
  const results: R[] = new Array(items.length)
  const failures: { readonly index: number; readonly error: unknown }[] = []
  let next = 0
  const worker = async () => {
    while (next < items.length && failures.length === 0) {
      const index = next++
      try {
        results[index] = await work(items[index] as T, index)
      } catch (error) {
        failures.push({ index, error })
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  const [first] = failures.sort((a, b) => a.index - b.index)
  if (first !== undefined) throw first.error
  return results
}

/** Hands results on in the order of their items as soon as all before them are there. */
export function inOrder<R>(deliver: (result: R) => void): (index: number, result: R) => void {
  const waiting = new Map<number, R>()
  let next = 0
  return (index, result) => {
    waiting.set(index, result)
    for (; waiting.has(next); next++) {
      deliver(waiting.get(next) as R)
      waiting.delete(next)
    }
  }
}

/**
 * Waits for different work that goes on at the same time, to its end also after a failure, and throws the failure that
 * stands first: the same error from the same cause, whichever came first in time.
 */
export async function together<T extends readonly unknown[]>(
  work: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  const results = await Promise.allSettled(work)
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T
}
