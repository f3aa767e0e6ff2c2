/** One line of docs/registry-faults.md, and the test that holds it. */
export interface FaultRow {
  /** What a registry or the line does. */
  readonly registry: string
  /** What the client does. */
  readonly client: string
  /** Who is known to do so. */
  readonly known?: string
  check(): Promise<void>
}

export interface FaultGroup {
  readonly title: string
  readonly rows: readonly FaultRow[]
}
