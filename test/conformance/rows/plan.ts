import type { Context } from '../context.ts'
import type { Check } from '../row.ts'

/** `+x` provides, `-x` requires, `|` begins the next alternative: a bin/detect that passes with that plan. */
function planned(plan: string): string {
  const [first = '', ...others] = plan.split('|')
  const tables = (part: string, or: string) =>
    part
      .split(' ')
      .filter(Boolean)
      .map(
        (word) => `[[${or}${word.startsWith('+') ? 'provides' : 'requires'}]]\\nname = "${word.slice(1)}"\\n`,
      )
      .join('')
  return `printf '${tables(first, '')}${others.map((part) => `[[or]]\\n${tables(part, 'or.')}`).join('')}' >"$2"`
}

/** Runs a group of buildpacks with these plans, a `?` behind an ID means optional; gives who is left, or the exit code. */
async function resolve(
  context: Context,
  plans: Readonly<Record<string, string>>,
): Promise<string | number | null> {
  for (const [id, plan] of Object.entries(plans))
    context.buildpack(id.replace('?', ''), { detect: planned(plan) })
  context.order(Object.keys(plans))
  const ended = await context.detect(['-log-level', 'debug'])
  return ended.code === 0 ? context.detected().join(' ') : ended.code
}

/** cnb-spec §3.6 */
export const PLAN: readonly Check[] = [
  {
    id: 'BP-1',
    title: 'alternatives are tried in order, the first element’s slowest; the first that works wins',
    async run(context) {
      const { expect, place } = context
      expect(await resolve(context, { a: '+x|+y', b: '-y|-x' })).toBe('a b')
      // (x, y) fails, (x, x) wins before (y, y) is tried.
      expect(place.read('layers/plan.toml')).toContain('name = "x"')
      expect(place.read('layers/plan.toml')).not.toContain('name = "y"')
      expect(await resolve(context, { a: '+x|+y', b: '-z|-w' })).toBe(20)
    },
  },
  {
    id: 'BP-2',
    title:
      'what is provided must be required by the same or a later element, what is required provided by an earlier one',
    async run(context) {
      const { expect } = context
      expect(await resolve(context, { a: '+x', b: '-x' })).toBe('a b')
      expect(await resolve(context, { a: '-x', b: '+x' })).toBe(20)
      expect(await resolve(context, { a: '+x', b: '' })).toBe(20)
      expect(await resolve(context, { 'a?': '+x', b: '' })).toBe('b')
      expect(await resolve(context, { 'a?': '-x', b: '' })).toBe('b')
      expect(await resolve(context, { a: '+x', b: '+x', c: '-x', d: '-x' })).toBe('a b c d')
    },
  },
  {
    id: 'BP-3',
    title: 'who drops out may leave others unmet, until nothing changes',
    async run(context) {
      const { expect } = context
      expect(await resolve(context, { 'a?': '+x', 'b?': '-x +y', 'c?': '-y -gone', d: '' })).toBe('d')
      expect(await resolve(context, { 'a?': '-gone +x', b: '-x' })).toBe(20)
    },
  },
  {
    id: 'BP-4',
    title: 'an element may meet its own requirement, and what nobody requires after it stays unused',
    async run(context) {
      const { expect } = context
      expect(await resolve(context, { a: '+x -x' })).toBe('a')
      expect(await resolve(context, { a: '+x', b: '-x', 'c?': '+x' })).toBe('a b')
      expect(await resolve(context, { a: '+x', b: '-x', c: '+x' })).toBe(20)
    },
  },
  {
    id: 'BP-5',
    title: 'an optional element drops out only in its last alternative',
    async run(context) {
      const { expect, place } = context
      expect(await resolve(context, { p: '+y -y', 'a?': '-x|-y' })).toBe('p a')
      expect(place.read('layers/plan.toml').match(/\[\[entries.requires\]\]/g)).toHaveLength(2)
      expect(await resolve(context, { p: '', 'a?': '-x|-y' })).toBe('p')
    },
  },
  {
    id: 'BP-6',
    title: 'a group of which nobody is left fails',
    async run(context) {
      context.expect(await resolve(context, { 'a?': '-x', 'b?': '+y' })).toBe(20)
    },
  },
  {
    id: 'BP-7',
    title: 'the plan has an entry per required name, with all who provide and all requirements in order',
    async run(context) {
      const { expect, place } = context
      expect(await resolve(context, { a: '+x', b: '+x', c: '-x', d: '-x' })).toBe('a b c d')
      const plan = place.read('layers/plan.toml')
      expect(plan.match(/\[\[entries\]\]/g)).toHaveLength(1)
      expect([...plan.matchAll(/id = "(.)"/g)].map(([, id]) => id)).toEqual(['a', 'b'])
      expect(plan.match(/name = "x"/g)).toHaveLength(2)
      expect(await resolve(context, { a: '' })).toBe('a')
      expect(place.read('layers/plan.toml')).toBe('')
    },
  },
  {
    id: 'BP-8',
    title: 'the group has the elements of the trial that won, in their order, with API and homepage',
    async run(context) {
      const { expect, place, buildpack, order, detect, buildpackApi } = context
      buildpack('a/last', { toml: 'homepage = "https://last.example"', detect: planned('+x -x') })
      buildpack('a/first', { detect: 'exit 0' })
      order(['a/last', 'a/first'])
      expect((await detect()).code).toBe(0)
      expect(place.read('layers/group.toml')).toMatch(
        new RegExp(
          `id = "a/last"\\s+version = "1.0.0"\\s+api = "${buildpackApi}"\\s+homepage = "https://last.example"(.|\\n)*id = "a/first"`,
        ),
      )
      expect(place.read('layers/group.toml')).not.toContain('optional')
    },
  },
]
