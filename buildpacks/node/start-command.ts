/** What is started, and why: Procfile, start script, server.js, main. Pure. */
import type { ProcessInput } from '../sdk/index.ts'

export interface StartSources {
  readonly procfile: string | undefined
  readonly scripts: Readonly<Record<string, string>>
  readonly main: string | undefined
  /** `BP_LAUNCHPOINT`: a file to start with node. */
  readonly launchpoint: string | undefined
  /** `BP_NPM_START_SCRIPT`: another script than `start`. */
  readonly startScript: string | undefined
  /** Commands that only development packages bring: they are not in the image. */
  readonly developmentCommands: ReadonlySet<string>
  /** Whether the app has a file. */
  readonly isFile: (name: string) => boolean
}

export interface Start {
  readonly processes: readonly ProcessInput[]
  /** Where the web process comes from, for the log; undefined where nothing says how to start. */
  readonly rule: string | undefined
  readonly warnings: readonly string[]
}

/** Processes of the Procfile, and a default process `web` from the first place that has one. */
export function startProcesses(sources: StartSources): Start {
  const declared = parseProcfile(sources.procfile ?? '')
  const others = declared.filter(({ type }) => type !== 'web').map((one) => processOf(one.type, one.command))
  const web = webCommand(sources, declared.find(({ type }) => type === 'web')?.command)
  if (web === undefined) return { processes: others, rule: undefined, warnings: [] }
  const needsNpm = /(^|[\s;&|(])(npm|npx|yarn|pnpm)\s/.test(web.command)
  const missing = programsOf(web.command).filter((name) => sources.developmentCommands.has(name))
  return {
    processes: [{ ...processOf('web', web.command), default: true }, ...others],
    rule: web.rule,
    warnings: [
      ...(needsNpm
        ? [`the start command needs a package manager, which is not in the image: ${web.command}`]
        : []),
      ...missing.map(
        (name) => `the start command needs ${name}, which only a development package brings: ${web.command}`,
      ),
    ],
  }
}

function webCommand(sources: StartSources, procfile: string | undefined) {
  const { scripts, main, launchpoint, startScript, isFile } = sources
  if (procfile !== undefined) return { command: procfile, rule: 'web in Procfile' }
  if (launchpoint !== undefined) return { command: `node ${quote(launchpoint)}`, rule: 'BP_LAUNCHPOINT' }
  const script = startScript ?? 'start'
  const command = scriptCommand(scripts, script, 0)
  if (command !== undefined) return productionCommand(sources, script, command)
  if (isFile('server.js')) return { command: 'node server.js', rule: 'server.js' }
  if (main !== undefined && isFile(main))
    return { command: `node ${quote(main)}`, rule: 'main in package.json' }
  const index = ['index.js', 'index.mjs', 'index.cjs'].find(isFile)
  return index === undefined ? undefined : { command: `node ${index}`, rule: index }
}

/** Where frameworks keep the command for production when `start` is for development (Nest, AdonisJS, Strapi …). */
const PRODUCTION_SCRIPTS = ['start:prod', 'start:production', 'serve:prod', 'production']

/** The start script, or the one for production where the start script needs a program that is not in the image. */
function productionCommand(sources: StartSources, script: string, command: string) {
  const rule = `scripts.${script} in package.json`
  const missing = programsOf(command).find((name) => sources.developmentCommands.has(name))
  if (missing === undefined || sources.startScript !== undefined) return { command, rule }
  for (const name of PRODUCTION_SCRIPTS) {
    const other = scriptCommand(sources.scripts, name, 0)
    if (
      other !== undefined &&
      !programsOf(other).some((program) => sources.developmentCommands.has(program))
    ) {
      return {
        command: other,
        rule: `scripts.${name} in package.json; scripts.${script} needs ${missing}, a development package`,
      }
    }
  }
  return { command, rule }
}

/** The programs that a command line starts, as far as they stand in it as words. */
function programsOf(line: string): string[] {
  return line.split(/&&|\|\||[;|]/).flatMap((part) => {
    const words = part.trim().split(/\s+/)
    const program = words.find((word) => !ASSIGNMENT.test(word) && word !== 'cross-env' && word !== 'exec')
    return program === undefined || program === '' ? [] : [program]
  })
}

const MAX_SCRIPTS = 10

/** The command of a script with its pre and post scripts; a script that only runs another one is that one. */
function scriptCommand(
  scripts: Readonly<Record<string, string>>,
  name: string,
  depth: number,
): string | undefined {
  const own = scripts[name]?.trim()
  if (own === undefined || own === '') return undefined
  const next = /^npm (?:run(?:-script)? )?(?:-s |--silent )?([\w:.-]+)$/.exec(own)
  const other = next?.[1]
  const isRun = other !== undefined && (/^npm run/.test(own) || other === 'start')
  const inner = isRun && depth < MAX_SCRIPTS ? scriptCommand(scripts, other, depth + 1) : undefined
  return [scripts[`pre${name}`], inner ?? own, scripts[`post${name}`]]
    .filter((part): part is string => part !== undefined && part.trim() !== '')
    .join(' && ')
}

/** `type: command` lines; others are passed over, as every reader of Procfiles does. */
export function parseProcfile(text: string): { readonly type: string; readonly command: string }[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const match = /^\s*([A-Za-z0-9_.-]+)\s*:\s*(\S.*?)\s*$/.exec(line)
    return match === null ? [] : [{ type: match[1] ?? '', command: match[2] ?? '' }]
  })
}

/**
 * A process that runs a command line: directly where no shell is needed, so that signals reach the app; else with `sh`,
 * which is replaced by the last program where that can be.
 */
function processOf(type: string, line: string): ProcessInput {
  const words = splitWords(line)
  if (words === undefined) return { type, command: ['sh', '-c', withExec(line)] }
  const start = words[0] === 'cross-env' ? 1 : 0
  const count = words.slice(start).findIndex((word) => !ASSIGNMENT.test(word))
  const assignments = words.slice(start, start + count)
  const [program = '', ...args] = words.slice(start + count)
  if (count < 0 || program === '') return { type, command: ['sh', '-c', line] }
  return {
    type,
    command: assignments.length === 0 ? [program, ...args] : ['env', ...assignments, program, ...args],
  }
}

const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/
const WORD = /\\[\s\S]|'[^']*'|"(?:[^"\\$`]|\\[\s\S])*"|[^\s'"\\$`&|;<>()*?[\]{}#~!]+/y
const BUILTINS = new Set([
  'cd',
  'export',
  'exec',
  'exit',
  'set',
  'unset',
  '.',
  'source',
  'eval',
  'trap',
  'if',
  'for',
  'while',
  'until',
  'case',
  ':',
])

/** The words of a command line that a shell would only split and unquote; undefined where it would do more. */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  const text = line.trim()
  for (let at = 0; at < text.length; ) {
    if (/[ \t]/.test(text[at] ?? '')) {
      if (word !== undefined) words.push(word)
      word = undefined
      at++
      continue
    }
    WORD.lastIndex = at
    const piece = WORD.exec(text)?.[0]
    if (piece === undefined) return undefined
    word = (word ?? '') + unquote(piece)
    at += piece.length
  }
  if (word !== undefined) words.push(word)
  return words.length === 0 || BUILTINS.has(words[0] ?? '') ? undefined : words
}

function unquote(piece: string): string {
  if (piece.startsWith("'")) return piece.slice(1, -1)
  if (piece.startsWith('"'))
    return piece.slice(1, -1).replace(/\\([\\"$`\n])/g, (_, char: string) => (char === '\n' ? '' : char))
  return piece.startsWith('\\') ? (piece[1] === '\n' ? '' : piece.slice(1)) : piece
}

function quote(word: string): string {
  return /^[\w./@:=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** Puts `exec` before the last command of `a && b`; lines with other operators between commands stay as they are. */
function withExec(line: string): string {
  const parts = splitAtAnd(line)
  const last = parts?.at(-1) ?? ''
  const match = /^(\s*(?:[A-Za-z_][A-Za-z0-9_]*=(?:"[^"]*"|'[^']*'|[^\s"'$`\\])*\s+)*)(\S+)([\s\S]*)$/.exec(
    last,
  )
  if (parts === undefined || match === null || BUILTINS.has(match[2] ?? '')) return line
  return [...parts.slice(0, -1), `${match[1]}exec ${match[2]}${match[3]}`].join('&&')
}

/** The commands between `&&`; undefined where other operators, groups or several lines are in it. */
function splitAtAnd(line: string): string[] | undefined {
  const parts: string[] = []
  let part = ''
  const tokens =
    line.match(/\\[\s\S]|'[^']*'|"(?:[^"\\]|\\[\s\S])*"|&&|\$\([^()]*\)|\$\{[^{}]*\}|[\s\S]/g) ?? []
  for (const token of tokens) {
    if (token === '&&') {
      parts.push(part)
      part = ''
    } else if (/^[;|&(){}\n`'"]$/.test(token)) return undefined
    else part += token
  }
  return [...parts, part]
}
