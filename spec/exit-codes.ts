/** Exit codes of the lifecycle's commands (platform spec; cnb-spec §2.1). The numbers between are reserved per family. */
export const EXIT_CODES = {
  success: 0,
  /** Unreadable files, refusal to run as root, experimental features that are off, privileges. */
  generic: 1,
  /** Flags that do not parse. */
  usage: 2,
  /** Wrong arguments, or inputs that cannot be resolved. */
  invalidArguments: 3,
  platformApiIncompatible: 11,
  buildpackApiIncompatible: 12,
  /** No group passed detection, no buildpack errored. */
  detectNoGroup: 20,
  /** No group passed detection and at least one buildpack errored. */
  detectNoGroupWithErrors: 21,
  detect: 22,
  analyze: 32,
  restore: 42,
  /** A buildpack's bin/build failed. */
  buildpackFailed: 51,
  build: 52,
  export: 62,
  rebase: 72,
  /** Before the process was started; afterwards its own code. */
  launch: 82,
  /** An extension's bin/generate failed. */
  extensionFailed: 91,
  generate: 92,
  extend: 102,
} as const

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES]
