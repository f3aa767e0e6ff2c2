import { expect, test } from 'vitest'
import { packageIndex } from './packages.ts'

const DIGEST = 'ab'.repeat(32)
const stanza = (name: string, version: string, more = '') =>
  `Package: ${name}\nVersion: ${version}\nArchitecture: all\n${more}Filename: pool/${name}.deb\nSize: 5\nSHA256: ${DIGEST}\n`

const text = (...stanzas: string[]) => Buffer.from(stanzas.join('\n'))

test('keeps the newest first, and of equal versions that of the archive given first', () => {
  const index = packageIndex([
    { archive: 'security', text: text(stanza('a', '2'), stanza('b', '1')) },
    { archive: 'main', text: text(stanza('a', '2'), stanza('a', '10'), stanza('b', '1')) },
  ])
  expect(index.size).toBe(5)
  expect(index.candidates('a').map(({ version, archive }) => [version, archive])).toEqual([
    ['10', 'main'],
    ['2', 'security'],
    ['2', 'main'],
  ])
  expect(index.candidates('b')[0]?.archive).toBe('security')
  expect(index.candidates('c')).toEqual([])
})

test('reads the fields that matter', () => {
  const fields =
    'Priority: required\nDepends: x (>= 1),\n y\nPre-Depends: z\nProvides: v, w (= 2)\nConflicts: q\nBreaks: r\n'
  const [record] = packageIndex([{ archive: 'main', text: text(stanza('a', '1', fields)) }]).candidates('a')
  expect(record).toEqual({
    name: 'a',
    version: '1',
    architecture: 'all',
    archive: 'main',
    filename: 'pool/a.deb',
    size: 5,
    sha256: DIGEST,
    priority: 'required',
    depends: 'x (>= 1),\ny',
    preDepends: 'z',
    conflicts: 'q',
    breaks: 'r',
    provides: 'v, w (= 2)',
  })
})

test('finds who provides a name, not who provides a similar one or only mentions it', () => {
  const index = packageIndex([
    {
      archive: 'main',
      text: text(
        stanza('one', '1', 'Provides: awk\n'),
        stanza('two', '1', 'Depends: awk\n'),
        stanza('three', '1', 'Provides: xawk, awkx\n'),
        stanza('four', '1', 'Provides: x,awk (= 3)\n'),
        stanza('five', '2', 'Provides: other\n'),
        stanza('five', '1', 'Provides: awk\n'),
      ),
    },
  ])
  expect(index.providers('awk').map(({ record, version }) => [record.name, version])).toEqual([
    ['four', '3'],
    ['one', undefined],
  ])
})

test('reads stanzas that do not begin with the name, and blank lines between them', () => {
  const index = packageIndex([
    {
      archive: 'main',
      text: Buffer.from(`\n\nSource: x\n${stanza('a', '1')}\n\n\n${stanza('b', '1')}\nNothing: here\n`),
    },
  ])
  expect([index.size, index.candidates('a').length, index.candidates('b').length]).toEqual([2, 1, 1])
})

test.each([
  ['SHA256', stanza('a', '1').replace(DIGEST, 'abc')],
  ['Filename', stanza('a', '1').replace('pool/a.deb', 'pool/../../etc/passwd')],
  ['Filename', stanza('a', '1').replace('pool/a.deb', '/etc/passwd')],
  ['Filename', stanza('a', '1').replace('pool/a.deb', 'pool/a.deb?x')],
  ['Filename', stanza('a', '1').replace('pool/a.deb', 'http://elsewhere/a.deb')],
  ['Size', stanza('a', '1').replace('Size: 5', 'Size: many')],
  ['Version', stanza('a', '')],
])('refuses a package without a usable %s when it is asked for', (field, bad) => {
  const index = packageIndex([{ archive: 'main', text: text(bad) }])
  expect(() => index.candidates('a')).toThrow(
    expect.objectContaining({ code: 'SOURCE_DEBIAN_INDEX_INVALID', message: expect.stringContaining(field) }),
  )
})
