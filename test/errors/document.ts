import type { ErrorCodeEntry } from './codes.ts'

/** docs/errors.md: every code that an error may have. */
export function errorsDocument(codes: readonly ErrorCodeEntry[]): string {
  return [
    '# Errors',
    '',
    'Every failure has a code that never changes its meaning. `slipway` shows it as `error[CODE]`; with `-log-format json` (the',
    "lifecycle's phases) or `--log-format json` (`slipway`) the last line is an object with `type` `failed` and `phase`, `action`,",
    '`code`, `class`, `message`, `subject` (the file, image, layer, buildpack or URL), `cause`, `hint` and `exitCode`.',
    '',
    '| class | whose it is | is it worth another try? |',
    '|---|---|---|',
    "| `user` | the app's or its author's | not before the app is changed |",
    '| `buildpack` | a buildpack did, or wrote, what it must not | where its own downloads failed |',
    '| `infrastructure` | a registry, a disk, a network | yes; not where the code says denied |',
    '| `usage` | the platform called it wrongly | no |',
    '| `internal` | a fault in Slipway | please report it |',
    '',
    "A code without an exit code of its own ends a phase with the phase's: 22 detect, 32 analyze, 42 restore, 52 build (51 where",
    'a bin/build failed), 62 export, 72 rebase, 1 for what comes before and after. Made from the sources by',
    '[test/errors](../test/errors/codes.ts); a test fails when it is out of date (`npm run errors:write`).',
    '',
    '| code | class | exit | what it says | what to try |',
    '|---|---|---|---|---|',
    ...codes.map(
      ({ code, classes, exitCodes, message, hint }) =>
        `| \`${code}\` | ${classes.join(', ') || 'that of the file'} | ${exitCodes.join(', ')} | ${escaped(message)} | ${escaped(hint)} |`,
    ),
    '',
  ].join('\n')
}

const escaped = (text = ''): string =>
  text.replaceAll('\\n', ' ').replaceAll('|', '\\|').replaceAll('<', '\\<').replaceAll('[', '\\[')
