import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseProcfile, type StartSources, splitWords, startProcesses } from './start-command.ts'

function start(sources: Partial<StartSources> & { files?: readonly string[] }) {
  const { files = [], ...rest } = sources
  return startProcesses({
    procfile: undefined,
    scripts: {},
    main: undefined,
    launchpoint: undefined,
    startScript: undefined,
    developmentCommands: new Set(['nest', 'nodemon']),
    isFile: (name) => files.includes(name),
    ...rest,
  })
}
const command = (script: string, scripts: Record<string, string> = {}) =>
  start({ scripts: { start: script, ...scripts } }).processes[0]?.command

describe('a start script for development', () => {
  it('gives way to the one for production', () => {
    const scripts = { start: 'nest start', 'start:prod': 'node dist/main' }
    expect(start({ scripts })).toMatchObject({
      processes: [{ type: 'web', command: ['node', 'dist/main'] }],
      rule: 'scripts.start:prod in package.json; scripts.start needs nest, a development package',
      warnings: [],
    })
    expect(
      start({ scripts: { ...scripts, start: 'NODE_ENV=x nodemon a.js' } }).processes[0]?.command,
    ).toEqual(['node', 'dist/main'])
  })

  it('is taken with a warning where there is no other, or where it was asked for by name', () => {
    expect(start({ scripts: { start: 'nest start' } }).warnings).toEqual([
      'the start command needs nest, which only a development package brings: nest start',
    ])
    const asked = start({
      scripts: { start: 'nest start', 'start:prod': 'node dist/main' },
      startScript: 'start',
    })
    expect(asked.processes[0]?.command).toEqual(['nest', 'start'])
  })
})

describe('which rule', () => {
  const all = {
    procfile: 'web: node procfile.js\nworker: node worker.js',
    scripts: { start: 'node start.js', other: 'node other.js' },
    main: 'lib/main.js',
    files: ['server.js', 'lib/main.js', 'index.js'],
  }

  it('goes Procfile, launch point, start script, server.js, main, index.js', () => {
    expect(start(all).rule).toBe('web in Procfile')
    const { procfile: _, ...more } = all
    expect(start({ ...more, launchpoint: 'a b.js' })).toMatchObject({
      rule: 'BP_LAUNCHPOINT',
      processes: [{ command: ['node', 'a b.js'] }],
    })
    expect(start(more).rule).toBe('scripts.start in package.json')
    expect(start({ ...more, startScript: 'other' })).toMatchObject({
      rule: 'scripts.other in package.json',
      processes: [{ command: ['node', 'other.js'] }],
    })
    expect(start({ ...more, scripts: {} }).rule).toBe('server.js')
    expect(start({ main: 'lib/main.js', files: ['lib/main.js', 'index.js'] }).rule).toBe(
      'main in package.json',
    )
    expect(start({ main: 'missing.js', files: ['index.mjs'] }).rule).toBe('index.mjs')
    expect(start({})).toEqual({ processes: [], rule: undefined, warnings: [] })
  })

  it('keeps the other processes of a Procfile, the web one the default', () => {
    expect(start(all).processes).toEqual([
      { type: 'web', command: ['node', 'procfile.js'], default: true },
      { type: 'worker', command: ['node', 'worker.js'] },
    ])
    expect(start({ ...all, procfile: 'worker: node worker.js' })).toMatchObject({
      rule: 'scripts.start in package.json',
      processes: [{ type: 'web' }, { type: 'worker' }],
    })
  })
})

describe('how it is run', () => {
  it.each([
    ['node dist/server.js', ['node', 'dist/server.js']],
    ['next start -p 3000', ['next', 'start', '-p', '3000']],
    [`node --title "my app" 'a b.js' c\\ d`, ['node', '--title', 'my app', 'a b.js', 'c d']],
    [
      'NODE_ENV=production A="b c" node server.js',
      ['env', 'NODE_ENV=production', 'A=b c', 'node', 'server.js'],
    ],
    ['cross-env NODE_ENV=production node server.js', ['env', 'NODE_ENV=production', 'node', 'server.js']],
    ['cross-env node server.js', ['node', 'server.js']],
    ['serve -l $PORT', ['sh', '-c', 'exec serve -l $PORT']],
    ['A=1 serve "-l $PORT"', ['sh', '-c', 'A=1 exec serve "-l $PORT"']],
    ['node migrate.js && node server.js', ['sh', '-c', 'node migrate.js && exec node server.js']],
    ['cd api && node server.js', ['sh', '-c', 'cd api && exec node server.js']],
    ['node a.js; node b.js', ['sh', '-c', 'node a.js; node b.js']],
    ['node a.js | cat', ['sh', '-c', 'node a.js | cat']],
    ['node a.js &', ['sh', '-c', 'node a.js &']],
    ['if true; then node a.js; fi', ['sh', '-c', 'if true; then node a.js; fi']],
    ['node a.js && cd x', ['sh', '-c', 'node a.js && cd x']],
    ["node 'a", ['sh', '-c', "node 'a"]],
    ['A=b', ['sh', '-c', 'A=b']],
  ])('%s', (script, expected) => {
    expect(command(script)).toEqual(expected)
  })

  it('a script that runs another one is that one, with what stands before and after', () => {
    expect(command('npm run serve', { serve: 'node server.js' })).toEqual(['node', 'server.js'])
    expect(command('npm run -s serve', { serve: 'node server.js' })).toEqual(['node', 'server.js'])
    expect(command('node b.js', { prestart: 'node a.js' })).toEqual([
      'sh',
      '-c',
      'node a.js && exec node b.js',
    ])
    expect(command('npm run serve', { serve: 'node b.js', preserve: 'node a.js' })).toEqual([
      'sh',
      '-c',
      'node a.js && exec node b.js',
    ])
    expect(command('npm run start')).toEqual(['npm', 'run', 'start'])
  })

  it('warns where npm itself would be needed', () => {
    expect(start({ scripts: { start: 'npm run serve -- --port 1' } }).warnings).toHaveLength(1)
    expect(start({ scripts: { start: 'npx serve' } }).warnings).toHaveLength(1)
    expect(start({ scripts: { start: 'node npm-server.js' } }).warnings).toEqual([])
  })
})

describe('splitWords', () => {
  it('gives what a shell gives, or nothing', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      ' ',
      '  ',
      "'a b'",
      '"a b"',
      '"\\""',
      "''",
      '\\ ',
      '\\a',
      '=',
      './',
      '$a',
      "'",
      '&',
      '*',
    )
    const line = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => `x${pieces.join('')}`)
    const cases = fc.sample(line, { numRuns: 300, seed: 7 }).flatMap((text) => {
      const words = splitWords(text)
      return words === undefined ? [] : [{ text, words }]
    })
    expect(cases.length).toBeGreaterThan(20)
    // One shell for all: each line's words between marks.
    const script = cases.map(({ text }) => `printf '[%s]' ${text}; printf '\\n'`).join('\n')
    const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8' })
    expect(stdout.split('\n').slice(0, -1)).toEqual(
      cases.map(({ words }) => words.map((word) => `[${word}]`).join('')),
    )
  })
})

describe('parseProcfile', () => {
  it('reads types and commands, passing over the rest', () => {
    expect(
      parseProcfile('# note\nweb: node a.js --x=y: z \r\n\nno colon\n  worker : b\nbad type: c\nempty:\n'),
    ).toEqual([
      { type: 'web', command: 'node a.js --x=y: z' },
      { type: 'worker', command: 'b' },
    ])
  })
})
