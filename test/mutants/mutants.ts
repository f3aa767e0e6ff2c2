/** A fault that somebody could make, and the requirements of the conformance table whose checks must find it. */
export interface Mutant {
  readonly name: string
  /** Relative to the repository; of the launcher where it ends in `.c`. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly text: string
  readonly replacement: string
  readonly caughtBy: readonly [string, ...string[]]
}

/** One or two of each phase; what they change is what a reader of the specification gets wrong first. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the alternatives of a build plan are tried from the last to the first',
    file: 'lifecycle/phases/detect/resolve-plan.ts',
    text: 'for (let index = 0; index < candidate.alternatives.length; index++) {',
    replacement: 'for (let index = candidate.alternatives.length - 1; index >= 0; index--) {',
    caughtBy: ['BP-1'],
  },
  {
    name: 'an optional buildpack drops out before its last alternative',
    file: 'lifecycle/phases/detect/resolve-plan.ts',
    text: 'droppable: optional && (chosen[i] ?? 0) === alternatives.length - 1,',
    replacement: 'droppable: optional,',
    caughtBy: ['BP-5'],
  },
  {
    name: 'an optional buildpack that says no fails its group',
    file: 'lifecycle/phases/detect/group.ts',
    text: "!member.optional && outcome.verdict !== 'pass'",
    replacement: "outcome.verdict !== 'pass'",
    caughtBy: ['DV-1'],
  },
  {
    name: 'a bin/detect that errs ends detection with the code of one that says no',
    file: 'spec/exit-codes.ts',
    text: 'detectNoGroupWithErrors: 21,',
    replacement: 'detectNoGroupWithErrors: 20,',
    caughtBy: ['DT-4', 'DV-2', 'CR-5'],
  },
  {
    name: 'a value is appended in front',
    file: 'lifecycle/environment/variables.ts',
    text: "after.set(name, joined(old, delimiter ?? '', value))",
    replacement: "after.set(name, joined(value, delimiter ?? '', old, old))",
    caughtBy: ['EV-2', 'EV-5'],
  },
  {
    name: 'a default replaces what is set',
    file: 'lifecycle/environment/variables.ts',
    text: "if (old === '') after.set(name, value)",
    replacement: 'after.set(name, value)',
    caughtBy: ['EV-3'],
  },
  {
    name: 'clear-env does not hide the user’s variables',
    file: 'lifecycle/environment/variables.ts',
    text: 'parts.clearEnv ? parts.cumulative : applyPlatformEnvironment(parts.cumulative, parts.user)',
    replacement: 'applyPlatformEnvironment(parts.cumulative, parts.user)',
    caughtBy: ['EN-5', 'EN-2'],
  },
  {
    name: 'a default that is replaced by a process that is none stays the default',
    file: 'lifecycle/phases/build/processes.ts',
    text: '      defaultType = undefined\n',
    replacement: '',
    caughtBy: ['PR-2'],
  },
  {
    name: 'the metadata of a build layer comes back although its contents cannot',
    file: 'lifecycle/phases/restore-layers.ts',
    text: ': !layer.build)',
    replacement: ': true)',
    caughtBy: ['LR-4'],
  },
  {
    name: 'a cached layer comes back that is not the one of the image',
    file: 'lifecycle/phases/restore-layers.ts',
    text: 'if (shas.get(layer.name) === entry.sha) contents.push',
    replacement: 'if (shas.has(layer.name)) contents.push',
    caughtBy: ['LR-4'],
  },
  {
    name: 'nothing of the previous image is reused',
    file: 'lifecycle/phases/export/make-layer.ts',
    text: 'const found = stores.previous.get(sha as Digest)',
    replacement: "const found = stores.previous.get('' as Digest)",
    caughtBy: ['LR-7', 'RU-2'],
  },
  {
    name: 'the label has another key than the specification’s',
    file: 'spec/labels/lifecycle-metadata.ts',
    text: "'process-types': shaOf(metadata.processTypes),",
    replacement: 'processTypes: shaOf(metadata.processTypes),',
    caughtBy: ['LA-1'],
  },
  {
    name: 'a target is not checked before a rebase',
    file: 'lifecycle/phases/rebase/checks.ts',
    text: 'if (matchesForRebase(next, old)) return false',
    replacement: 'if (matchesForRebase(old, old)) return false',
    caughtBy: ['RB-7', 'RB-12'],
  },
  {
    name: 'the caller’s arguments follow default arguments instead of replacing them',
    file: 'native/src/process.c',
    text: '? *user : concatenate(process.args, *user)',
    replacement: '? concatenate(process.args, *user) : concatenate(process.args, *user)',
    caughtBy: ['LN-3'],
  },
]
