import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type FlagDefinition, parseFlags, usageText } from './flags.ts'

const DEFINITIONS: readonly FlagDefinition[] = [
  { name: 'app', kind: 'text', usage: 'path to app', value: '/workspace' },
  { name: 'daemon', kind: 'boolean', usage: 'a daemon', value: false },
  { name: 'tag', kind: 'list', usage: 'more tags', value: [] },
  { name: 'uid', kind: 'integer', usage: 'the user', value: 0 },
  { name: 'wait', kind: 'duration', usage: 'how long', value: 600_000 },
]

const parsed = (...args: string[]) => {
  const flags = parseFlags(DEFINITIONS, args)
  return flags.kind === 'parsed' ? [Object.fromEntries(flags.values), flags.positionals] : flags
}

describe("Go's flags", () => {
  test.each<[string[], unknown, string[]]>([
    [['-app', 'x', '--app=y'], { app: 'y' }, []],
    [['-app='], { app: '' }, []],
    [['-app', '-daemon'], { app: '-daemon' }, []],
    [['-app=a=b'], { app: 'a=b' }, []],
    [['-daemon', 'false'], { daemon: true }, ['false']],
    [['-daemon=F', '-uid=0x1F'], { daemon: false, uid: 31 }, []],
    [['-uid', '-5'], { uid: -5 }, []],
    [['-uid', '010'], { uid: 8 }, []],
    [['-tag', 'a', '-tag=b'], { tag: ['a', 'b'] }, []],
    [['-tag=', '-tag=b', '-tag', ''], { tag: ['b'] }, []],
    [['-wait', '1h2m3.5s'], { wait: 3_723_500 }, []],
    [['image', '-daemon'], {}, ['image', '-daemon']],
    [['-daemon', '--', '-app', 'x'], { daemon: true }, ['-app', 'x']],
    [['-'], {}, ['-']],
    [[''], {}, ['']],
  ])('%j', (args, values, positionals) => {
    expect(parsed(...args)).toEqual([values, positionals])
  })

  test.each<[string[], string]>([
    [['-nope'], 'flag provided but not defined: -nope'],
    [['---app'], 'bad flag syntax: ---app'],
    [['-=x'], 'bad flag syntax: -=x'],
    [['-app'], 'flag needs an argument: -app'],
    [['-daemon=yes'], 'invalid boolean value "yes" for -daemon: parse error'],
    [['-uid', 'x'], 'invalid value "x" for flag -uid: parse error'],
    [['-uid', '1.5'], 'invalid value "1.5" for flag -uid: parse error'],
    [['-wait', '5'], 'invalid value "5" for flag -wait: parse error'],
  ])('%j is invalid', (args, message) => {
    expect(parsed(...args)).toEqual({ kind: 'invalid', message })
  })

  test('asks for help', () => {
    for (const word of ['-h', '--help', '-help=x']) expect(parsed(word)).toEqual({ kind: 'help' })
  })

  test('never throws, and loses no argument', () => {
    const token = fc.oneof(
      fc.string(),
      fc.constantFrom('-app', '-daemon', '--', '-uid=1', '-tag', '-wait=1s', 'positional', '-app=x'),
    )
    fc.assert(
      fc.property(fc.array(token), (args) => {
        const flags = parseFlags(DEFINITIONS, args)
        if (flags.kind === 'parsed') {
          expect(args.slice(args.length - flags.positionals.length)).toEqual(flags.positionals)
        }
      }),
    )
  })

  test('prints the usage as Go does', () => {
    expect(usageText(DEFINITIONS)).toBe(
      [
        'Usage of lifecycle:',
        '  -app string',
        '    \tpath to app (default "/workspace")',
        '  -daemon',
        '    \ta daemon',
        '  -tag value',
        '    \tmore tags',
        '  -uid int',
        '    \tthe user',
        '  -wait duration',
        '    \thow long (default 10m0s)',
        '',
      ].join('\n'),
    )
  })
})
