import { SlipwayError } from '../../core/error.ts'

const NAME = /^[^=\0/]+$/

/**
 * Variables for the buildpacks from `--env-file` texts and `--env` values; later ones win, values win over files.
 * `NAME=value` as it stands (the value may hold `=`), `NAME` takes the caller's own value, empty where unset. In a file
 * blank lines and lines that begin with `#` are skipped.
 * @throws SlipwayError `BUILD_ENV_INVALID`
 */
export function buildEnvironment(
  files: readonly { readonly file: string; readonly text: string }[],
  values: readonly string[],
  own: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const lines = files.flatMap(({ file, text }) =>
    text
      .split(/\r?\n/)
      .filter((line) => line.trim() !== '' && !line.startsWith('#'))
      .map((line) => ({ line, where: file })),
  )
  const result: Record<string, string> = {}
  for (const { line, where } of [...lines, ...values.map((line) => ({ line, where: '--env' }))]) {
    const at = line.indexOf('=')
    const name = at < 0 ? line : line.slice(0, at)
    if (!NAME.test(name)) {
      // The line itself may hold a secret: only its name part is shown.
      throw new SlipwayError(
        'BUILD_ENV_INVALID',
        `not a variable: ${JSON.stringify(name.slice(0, 40))} in ${where}`,
        {
          subject: where,
          hint: 'write NAME=value, or NAME to pass your own value on',
          class: 'usage',
          exitCode: 2,
        },
      )
    }
    result[name] = at < 0 ? (own[name] ?? '') : line.slice(at + 1)
  }
  return result
}
