import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import { parseDockerfile } from './parse.ts'

const source = { file: 'Dockerfile' }
const parsed = (...lines: readonly string[]) =>
  parseDockerfile(lines.join('\n'), source).map(({ name, argument, line }) => `${line} ${name} ${argument}`)

describe('a Dockerfile', () => {
  test('is read by instructions, in any case, without comments, blanks and flags', () => {
    expect(
      parsed('\uFEFF# a comment', '', '  from --platform=linux/amd64 x AS y  ', '\tRun a b', ' # no', 'CMD'),
    ).toEqual(['3 FROM x AS y', '4 RUN a b', '6 CMD '])
    expect(parsed('FROM x\r', 'RUN --mount=a --network=b -- --c\r')).toEqual(['1 FROM x', '2 RUN --c'])
  })

  test('goes on behind an escape at the end of a line, over comments and empty lines', () => {
    expect(parsed('RUN a \\', '  # no', '', '  b \\  ', '  c', 'USER x')).toEqual([
      '1 RUN a   b   c',
      '6 USER x',
    ])
    expect(parsed('RUN a \\\\', 'USER b')).toEqual(['1 RUN a \\\\', '2 USER b'])
    expect(parsed('RUN a \\')).toEqual(['1 RUN a'])
    expect(parsed('\\', 'FROM x')).toEqual(['1 FROM x'])
  })

  test('has parser directives only at its head', () => {
    expect(parsed('# syntax=docker/dockerfile:1', '# Escape = `', 'RUN c:\\', 'RUN a `', ' b')).toEqual([
      '3 RUN c:\\',
      '4 RUN a  b',
    ])
    expect(parsed('# a comment', '# escape=`', 'RUN a `')).toEqual(['3 RUN a `'])
  })

  test('has files of its own in heredocs', () => {
    expect(parsed('RUN <<EOF', 'FROM x', 'EOF', 'USER a')).toEqual(['1 RUN <<EOF', '4 USER a'])
    expect(parsed('COPY <<-"A" <<\'B C\' /x', 'not', '\tA', '\tB C', 'B C', 'USER a')).toEqual([
      '1 COPY <<-"A" <<\'B C\' /x',
      '6 USER a',
    ])
    expect(parsed('ONBUILD RUN 3<<X', 'X', 'USER a')).toEqual(['1 ONBUILD RUN 3<<X', '3 USER a'])
    for (const none of ['RUN ["a", "<<EOF"]', 'RUN cat<<EOF', 'RUN echo "<<EOF', 'LABEL a=<<EOF', 'RUN <<'])
      expect(parsed(none, 'USER a')).toHaveLength(2)
  })

  test.each([
    ['', 'Dockerfile:1: file with no instructions'],
    ['# only this', 'Dockerfile:1: file with no instructions'],
    ['FROM x\nCAT y', 'Dockerfile:2: unknown instruction: CAT'],
    ['FROM', 'Dockerfile:1: FROM requires an argument'],
    ['RUN <<EOF\nx', 'Dockerfile:1: unterminated heredoc'],
    ['# escape=a\nFROM x', "Dockerfile:1: invalid escape token 'a' does not match ` or \\"],
    ['# syntax=a\n# syntax=b\nFROM x', 'Dockerfile:2: only one syntax parser directive can be used'],
  ])('%j is none', (text, message) => {
    expect(() => parseDockerfile(text, source)).toThrow(message)
  })

  const fragments = fc.constantFrom(
    ...['FROM x', 'RUN', 'COPY', 'ONBUILD RUN', ' <<EOF', ' <<-"A B"', 'EOF', 'A B', '\\', '\\\\', '`', '#'],
    ...['# escape=`', '# syntax=x', '\n', '\r\n', '\t', ' ', '"', "'", '["a"]', '$', '\0', '\uFEFF', 'é'],
  )

  test('is read or refused by its own error, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fragments, fc.string({ unit: 'binary' })), { maxLength: 40 }),
        (parts) => {
          const text = parts.join('')
          try {
            const lines = text.split('\n').length
            for (const { line } of parseDockerfile(text, source)) expect(line).toBeLessThanOrEqual(lines)
          } catch (error) {
            expect(error).toBeInstanceOf(SlipwayError)
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  // With a time that grew with the square of the length, one of them alone would take hours.
  test.each([' ', '\t', '\r', '\\', '"', '<<', '<<a ', '["', '#', '\\\n', ' \\\n', '--a ', '`', '='])(
    'half a megabyte of %j ends in no time',
    { timeout: 10_000 },
    (unit) => {
      for (const end of ['', 'x', '\nx']) {
        const text = `RUN ${unit.repeat(500_000 / unit.length)}${end}`
        try {
          expect(parseDockerfile(text, source).length).toBeGreaterThan(0)
        } catch (error) {
          expect(error).toBeInstanceOf(SlipwayError)
        }
      }
    },
  )
})
