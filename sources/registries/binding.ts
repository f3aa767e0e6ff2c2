/** A service binding (servicebinding.io): a directory `<name>` with a file `type` and one file per key. */
export interface Binding {
  readonly name: string
  readonly type: string
  readonly files: Readonly<Record<string, string>>
}

/**
 * Names of bindings that carry the machine's settings begin so; a binding of the same type that the user gave stands
 * before them.
 */
export const HOST_BINDING_PREFIX = 'host-'
