/** Whatever an app's files hold, a parser gives data or a SlipwayError that is the app's. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import { parseLockFile } from './lock-file.ts'
import { parsePackageJson } from './package-json.ts'
import { parseProcfile } from './start-command.ts'

function check(text: string): void {
  for (const parse of [
    (own: string) => parseLockFile(own, 'package-lock.json'),
    parsePackageJson,
    parseProcfile,
  ]) {
    try {
      parse(text)
    } catch (error) {
      expect(error).toBeInstanceOf(SlipwayError)
      expect(error).toMatchObject({ class: 'user' })
    }
  }
}

test('any text, any JSON', () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), check), { numRuns: 300 })
})

const LOCK = {
  name: 'a',
  lockfileVersion: 3,
  packages: {
    '': { dependencies: { b: '^1' } },
    'node_modules/b': {
      version: '1.0.0',
      os: ['linux'],
      bin: { b: 'b.js' },
      dependencies: { c: '1' },
      dev: true,
    },
  },
}
const PACKAGE = {
  name: 'a',
  version: '1',
  main: 'x.js',
  scripts: { start: 'x' },
  engines: { node: '24' },
  workspaces: [],
}

test('files in which one value is another', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<object>(LOCK, PACKAGE),
      fc.nat(25),
      fc.jsonValue(),
      (example, index, value) => {
        let left = index
        check(JSON.stringify(example, (_, old) => (left-- === 0 ? value : old)) ?? '')
      },
    ),
    { numRuns: 1000 },
  )
})

test('a line of a Procfile that is long', () => {
  for (const piece of [':', ' ', 'a', '\t', '\n', '#']) check(`web${piece.repeat(100_000)}`)
})
