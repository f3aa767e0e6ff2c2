/** Documents are true: their commands are run somewhere, their links lead somewhere, what they must not name is not there. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PROJECT } from './support/clone.ts'
import { DOCUMENTED_COMMANDS } from './support/documented-commands.ts'

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: PROJECT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(PROJECT, file)))
const documents = tracked.filter((file) => file.endsWith('.md') && !file.startsWith('examples/'))
const read = (file: string): string => readFileSync(join(PROJECT, file), 'utf8')

/** Lines of `sh` blocks, and inline code that begins like one of our commands. */
function commandsOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(([, body = '']) => body.split('\n'))
  const inline = [...text.matchAll(/`(\.\/slipway [^`]+|npm test|npm run [^`]+)`/g)].map(
    ([, command = '']) => command,
  )
  return [...blocks, ...inline]
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

describe.each(documents)('%s', (file) => {
  test('shows no command that nobody runs', () => {
    const known = new Set(DOCUMENTED_COMMANDS.map(({ command }) => command))
    expect(commandsOf(read(file)).filter((command) => !known.has(command))).toEqual([])
  })

  test('has no link that leads nowhere', () => {
    const links = [...read(file).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, link = '']) => link)
    const local = links.filter((link) => !/^https?:/.test(link))
    expect(local.filter((link) => !existsSync(join(PROJECT, dirname(file), link)))).toEqual([])
  })
})

test.each(DOCUMENTED_COMMANDS)('$command is run, or says why not', ({ command, runBy, as, notRun }) => {
  if (runBy === undefined) expect(notRun).toMatch(/\w+ \w+/)
  else expect(read(runBy).replace(/\s+/g, ' ')).toContain((as ?? command).replace(/\s+/g, ' '))
})

test('no command is listed that no document shows', () => {
  const shown = new Set(documents.flatMap((file) => commandsOf(read(file))))
  expect(DOCUMENTED_COMMANDS.filter(({ command }) => !shown.has(command))).toEqual([])
})

test('no host name of a package registry stands in the repository', () => {
  const hosts = [
    ['registry', 'npmjs'],
    ['registry', 'yarnpkg'],
    ['deb', 'debian'],
    ['security', 'debian'],
    ['pypi', 'org'],
    ['files', 'pythonhosted'],
    ['proxy', 'golang'],
    ['repo1', 'maven'],
    ['repo', 'maven'],
    ['static', 'crates'],
  ].map((parts) => parts.join('.'))
  const found = tracked
    .filter((file) => !/\.(?:asc|png)$|^native\/built\//.test(file))
    .flatMap((file) => {
      const text = read(file)
      return hosts.filter((host) => text.includes(host)).map((host) => `${file}: ${host}`)
    })
  expect(found).toEqual([])
})
