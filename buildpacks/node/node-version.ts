/** Which Node.js an app asks for, and which of the published versions that is. */
import { major, maxSatisfying, satisfies, valid, validRange } from 'semver'
import { userError } from '../sdk/index.ts'

export interface VersionRequest {
  /** A range as semver reads it. */
  readonly range: string
  /** Where it is written, for the log: `engines.node in package.json`. */
  readonly rule: string
  /** As it is written there. */
  readonly written: string
}

/** Names of the lines with long-term support, newest first. */
const LTS: readonly (readonly [name: string, major: number])[] = [
  ['krypton', 24],
  ['jod', 22],
  ['iron', 20],
  ['hydrogen', 18],
  ['gallium', 16],
  ['fermium', 14],
  ['erbium', 12],
  ['dubnium', 10],
  ['carbon', 8],
  ['boron', 6],
  ['argon', 4],
]
const DEFAULT_LINE = LTS[0]?.[1] ?? 24
export const DEFAULT_RANGE = `${DEFAULT_LINE}.x`

/** Places in the order they count; an empty text counts as absent. */
export interface VersionSources {
  readonly variable: string | undefined
  readonly engines: string | undefined
  readonly nvmrc: string | undefined
  readonly nodeVersionFile: string | undefined
}

/** The first place that says something. @throws SlipwayError `NODE_VERSION_INVALID` */
export function requestedVersion(sources: VersionSources): VersionRequest {
  const places = [
    ['BP_NODE_VERSION', sources.variable],
    ['engines.node in package.json', sources.engines],
    ['.nvmrc', firstLine(sources.nvmrc)],
    ['.node-version', firstLine(sources.nodeVersionFile)],
  ] as const
  for (const [rule, text] of places) {
    const written = text?.trim() ?? ''
    if (written !== '') return { range: rangeOf(written, rule), rule, written }
  }
  return { range: DEFAULT_RANGE, rule: 'the default', written: DEFAULT_RANGE }
}

function firstLine(text: string | undefined): string | undefined {
  return text
    ?.split(/\r?\n/)
    .map((line) => line.replace(/#.*/, '').trim())
    .find((line) => line !== '')
}

function rangeOf(written: string, rule: string): string {
  const text = written.toLowerCase()
  const lts = /^lts(?:\/(.*)|$)/.exec(text)
  if (lts !== null) return ltsRange(lts[1] ?? '*', written, rule)
  const named = LTS.find(([name]) => name === text)
  if (named !== undefined) return `${named[1]}.x`
  if (['node', 'latest', 'current', 'stable'].includes(text)) return text === 'stable' ? DEFAULT_RANGE : '>=0'
  const range = validRange(text.replace(/^(node-?)?v(?=\d)/, ''))
  if (range !== null) return range
  throw invalid(written, rule, 'Write a version (24.1.0), a line (24) or a range (>=22 <25).')
}

/** `lts/*` is the newest line, `lts/-1` the one before it, else the line's name. */
function ltsRange(which: string, written: string, rule: string): string {
  const back = which === '*' || which === '' ? '0' : /^-(\d)$/.exec(which)?.[1]
  const line = back === undefined ? LTS.find(([name]) => name === which) : LTS[Number(back)]
  if (line !== undefined) return `${line[1]}.x`
  throw invalid(written, rule, `Known lines are ${LTS.map(([name]) => `lts/${name}`).join(', ')}.`)
}

function invalid(written: string, rule: string, hint: string) {
  return userError(
    'NODE_VERSION_INVALID',
    `${rule} asks for Node.js ${JSON.stringify(written)}, which is no version`,
    {
      subject: rule,
      hint,
    },
  )
}

/** Whether only one version can satisfy a range. */
export function isExact(range: string): boolean {
  return valid(range) !== null
}

export function satisfiesRange(version: string, range: string): boolean {
  return satisfies(version, range)
}

/**
 * The version to take: of a wide range the newest of the default line, else of the newest line with long-term support,
 * else the newest of all. An open range like `>=18` so does not move an app to a line that is not yet supported for long.
 */
export function chooseVersion(versions: readonly string[], range: string): string | undefined {
  const fitting = versions.filter((version) => satisfies(version, range))
  for (const [, line] of range === '>=0' ? [] : LTS) {
    const best = maxSatisfying(
      fitting.filter((version) => major(version) === line),
      '*',
    )
    if (best !== null) return best
  }
  return maxSatisfying(fitting, '*') ?? undefined
}

/** @throws always: SlipwayError `NODE_VERSION_NOT_FOUND` */
export function notFound(request: VersionRequest, versions: readonly string[], arch: string): never {
  const newest = LTS.flatMap(([, line]) => maxSatisfying([...versions], `${line}.x`) ?? []).slice(0, 4)
  throw userError(
    'NODE_VERSION_NOT_FOUND',
    `${request.rule} asks for Node.js ${request.written}, and no such version is published for ${arch}`,
    { subject: request.rule, hint: `Published are ${newest.join(', ')} and others.` },
  )
}
