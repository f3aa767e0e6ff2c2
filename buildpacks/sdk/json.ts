import { type ErrorCode, SlipwayError } from '../../core/error.ts'

/**
 * Parses a JSON file of the app, whose root must be an object.
 * @param code of the error: the buildpack's own word for that file.
 * @throws SlipwayError with line and column where the text is no JSON.
 */
export function parseJsonObject(
  text: string,
  file: string,
  code: ErrorCode,
): Readonly<Record<string, unknown>> {
  const body = text.replace(/^\uFEFF/, '')
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw invalid(body, file, code)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new SlipwayError(code, `${file} holds no JSON object`, {
    subject: file,
    hint: 'The file begins with { and ends with }.',
    class: 'user',
  })
}

function invalid(text: string, file: string, code: ErrorCode): SlipwayError {
  const { offset, expected } = firstError(text)
  const before = text.slice(0, offset).split('\n')
  const [line, column] = [before.length, (before.at(-1)?.length ?? 0) + 1]
  const found = offset >= text.length ? 'the end of the file' : JSON.stringify(text[offset])
  return new SlipwayError(
    code,
    `${file} is no valid JSON: line ${line}, column ${column}: expected ${expected}, found ${found}`,
    {
      subject: `${file}:${line}:${column}`,
      hint: 'Look at this place and just before it: a comma, a quote or a brace is missing or too many.',
      class: 'user',
    },
  )
}

/** A token after blanks: punctuation, a string, or a number or word. */
const TOKEN =
  /[ \t\r\n]*(?:([{}[\]:,])|("(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/uy

/** What may come next, as it is said to a person. */
const EXPECTED = {
  value: 'a value',
  firstValue: 'a value or ]',
  firstKey: 'a key in double quotes or }',
  key: 'a key in double quotes',
  colon: 'a colon',
  end: 'a comma or the end of what was opened',
} as const
type State = keyof typeof EXPECTED

const VALUE = { '"': 'end', '0': 'end', '{': 'firstKey', '[': 'firstValue' } as const
const NEXT: Readonly<Record<State, Readonly<Record<string, State>>>> = {
  value: VALUE,
  firstValue: { ...VALUE, ']': 'end' },
  firstKey: { '"': 'colon', '}': 'end' },
  key: { '"': 'colon' },
  colon: { ':': 'value' },
  end: { '}': 'end', ']': 'end', ',': 'value' },
}

/**
 * Where a text that is no JSON stops being it. JSON.parse says so only in some of its messages, which also quote the
 * file. Reads token by token, so that nesting costs no stack.
 */
function firstError(text: string): { readonly offset: number; readonly expected: string } {
  const open: string[] = []
  let state: State = 'value'
  for (let at = 0; ; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at
    const token = TOKEN.exec(text)
    const next: State | undefined =
      token === null ? undefined : step(state, token[1] ?? (token[2] ? '"' : '0'), open)
    if (next === undefined) {
      const offset = at + (/^[ \t\r\n]*/.exec(text.slice(at))?.[0].length ?? 0)
      return {
        offset,
        expected: state === 'end' && open.length === 0 ? 'the end of the file' : EXPECTED[state],
      }
    }
    state = next
  }
}

/**
 * The state after a token (`"` for any string, `0` for any number or word); undefined where it must not stand.
 * @param open what closes each object and array that is open
 */
function step(state: State, token: string, open: string[]): State | undefined {
  const closes = open.at(-1)
  const after = NEXT[state][token]
  if (token === '{' || token === '[') {
    if (after !== undefined) open.push(token === '{' ? '}' : ']')
    return after
  }
  if (token === '}' || token === ']') return token === closes && open.pop() !== undefined ? after : undefined
  if (state !== 'end' || after === undefined) return after
  return closes === '}' ? 'key' : closes === ']' ? 'value' : undefined
}
