/**
 * Every command that a document shows, and where it is run. A command is run by a test file that holds it word for
 * word, or stands here with the reason why no test can run it.
 */
export interface DocumentedCommand {
  readonly command: string
  /** Test files (or the runner) that run it. */
  readonly runBy?: string
  /** Words that the test file holds where it does not hold the command itself. */
  readonly as?: string
  readonly notRun?: string
}

export const DOCUMENTED_COMMANDS: readonly DocumentedCommand[] = [
  {
    command: './slipway build hello --path examples/node',
    runBy: 'test/support/newcomer-suite.ts',
    as: "slipway('build', 'hello', '--path', 'examples/node')",
  },
  {
    command: './slipway run hello --port 8080',
    runBy: 'test/support/newcomer-suite.ts',
    as: "'./slipway', 'run', 'hello', '--port'",
  },
  {
    command: './slipway build 127.0.0.1:5000/hello --path examples/node --publish',
    runBy: 'test/support/newcomer-suite.ts',
    as: "slipway('build', name, '--path', 'examples/node', '--publish')",
  },
  { command: './slipway rebase hello', runBy: 'test/command.test.ts', as: "slipway(['rebase', 'moved'])" },
  { command: './slipway build --help', runBy: 'test/command.test.ts', as: "['build', '--help']" },
  { command: 'npm test', notRun: 'it is what runs the tests; .ci/run calls it' },
  {
    command: 'npm run check',
    notRun: 'npm test runs the same steps, and itself inside itself would not end',
  },
  {
    command: 'npm run errors:write',
    notRun: 'it writes docs/errors.md, whose test compares it with the sources',
  },
  {
    command: 'npm run test:chaos',
    notRun: 'it is the long form, many minutes, of test/chaos, which npm test runs once through',
  },
  { command: 'npm run native:build', runBy: 'native/build.integration.test.ts', as: 'build.mjs' },
  {
    command: 'npm run lifecycle:package',
    runBy: 'builders/package/start.integration.test.ts',
    as: "['run', 'lifecycle:package', '--', dist]",
  },
  { command: 'npm run test:load', notRun: 'npm test runs the short form of the same file, test/load' },
  {
    command: 'npm run registry-faults:write',
    notRun: 'it writes the page that oci/registry/faults.test.ts compares',
  },
  {
    command: 'npm run bench',
    notRun: 'it measures for twenty minutes; bench/report.test.ts holds what is made of the figures',
  },
  {
    command: 'npm run bench:minutes',
    notRun: 'it builds for minutes what test/newcomer.test.ts builds once',
  },
]
