/** Scopes of the token protocol: `repository:team/app:pull,push`, compared by what they allow. */

export function pullScope(repository: string): string {
  return `repository:${repository}:pull`
}

export function pushScope(repository: string): string {
  return `repository:${repository}:pull,push`
}

/** Splits at the last colon: the name may hold a port. */
function split(scope: string): { resource: string; actions: string[] } {
  const colon = scope.lastIndexOf(':')
  return { resource: scope.slice(0, colon), actions: scope.slice(colon + 1).split(',') }
}

/** Whether everything in `needed` is allowed by `granted`. */
export function covers(granted: readonly string[], needed: readonly string[]): boolean {
  const allowed = gather(granted)
  return needed.every((scope) => {
    const { resource, actions } = split(scope)
    const has = allowed.get(resource)
    return has !== undefined && (has.has('*') || actions.every((action) => has.has(action)))
  })
}

/**
 * One scope for each resource with the actions of all, in the order of first appearance: some registries read only the
 * first, so what was challenged comes first.
 */
export function mergeScopes(...lists: readonly (readonly string[])[]): string[] {
  return [...gather(lists.flat())].map(([resource, actions]) => `${resource}:${[...actions].join(',')}`)
}

function gather(scopes: readonly string[]): Map<string, Set<string>> {
  const byResource = new Map<string, Set<string>>()
  for (const scope of scopes) {
    const { resource, actions } = split(scope)
    const known = byResource.get(resource) ?? new Set()
    for (const action of actions) known.add(action)
    byResource.set(resource, known)
  }
  return byResource
}
