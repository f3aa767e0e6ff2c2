/** Whatever an index or a configuration file of this machine holds, a parser gives data or a SlipwayError. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlipwayError } from '../core/error.ts'
import { parseAptConf, parseDeb822Sources, parseMirrorList, parseSourcesList } from './debian/apt-settings.ts'
import { parseStanza, parseStanzas } from './debian/deb822.ts'
import { parseProvides, parseRelations } from './debian/relations.ts'
import { parseRelease } from './debian/release.ts'
import { parseGoEnv } from './registries/go.ts'
import { parseNpmIni, parsePythonIni } from './registries/ini.ts'
import { parseMavenSettings } from './registries/maven.ts'
import { parseNpmrc } from './registries/npmrc.ts'
import { parsePipConf } from './registries/pip.ts'
import { parseXml } from './registries/xml.ts'

type Parsers = Readonly<Record<string, (text: string) => unknown>>

/** What a mirror answers. */
const INDICES: Parsers = {
  stanza: parseStanza,
  stanzas: parseStanzas,
  Release: (text) => parseRelease(text, 'x'),
  relations: (text) => parseRelations(text, 'x'),
  provides: (text) => parseProvides(text, 'x'),
}

/** Files of this machine’s owner. */
const SETTINGS: Parsers = {
  'sources.list': parseSourcesList,
  '*.sources': parseDeb822Sources,
  'mirror list': parseMirrorList,
  'apt.conf': parseAptConf,
  'go env': parseGoEnv,
  'npm’s INI': parseNpmIni,
  'Python’s INI': parsePythonIni,
  '.npmrc': (text) => parseNpmrc(text, {}),
  'pip.conf': parsePipConf,
  'settings.xml': (text) => parseMavenSettings(text, {}),
  XML: parseXml,
}

const PIECES = [
  ...[
    'Date: Sat, 01 Jan 2000 00:00:00 UTC',
    'SHA256:',
    ' ',
    '\t',
    '\n',
    '\r\n',
    ':',
    '=',
    '[',
    ']',
    '"',
    "'",
  ],
  ...[
    'deb ',
    'http://h/',
    'trixie ',
    'main',
    '//registry/:_authToken',
    '${',
    '}',
    '\\',
    ';',
    '#',
    '//',
    '/*',
    '*/',
  ],
  ...[
    '{',
    '(',
    ')',
    '|',
    ',',
    '>= ',
    '<',
    '>',
    '&amp;',
    '<![CDATA[',
    '<!--',
    'A',
    'A=',
    '0',
    '\0',
    '\uFEFF',
    'é',
  ],
]

function check(text: string, parsers: Parsers = { ...INDICES, ...SETTINGS }): void {
  for (const [name, parse] of Object.entries(parsers)) {
    try {
      parse(text)
    } catch (error) {
      expect(error, name).toBeInstanceOf(SlipwayError)
    }
  }
}

describe('settings and indices', () => {
  test('any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => check(text)))
  })

  test('what is nearly right', () => {
    const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 30 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(text, (own) => check(own)),
      { numRuns: 500 },
    )
  })

  // With a step for each pair of them these would not end within the test’s time.
  test.each(PIECES)('an index with a hundred thousand of %j', (piece) => {
    check(`a${piece.repeat(100_000)}b`, INDICES)
  })
})
