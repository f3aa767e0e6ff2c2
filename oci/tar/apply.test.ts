import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlipwayError } from '../../core/error.ts'
import { temporaryDirectory } from '../testing/temporary.ts'
import { applyLayer } from './apply.ts'
import { entriesLayer, type LayerEntry } from './walk.ts'

const ids = { uid: 0, gid: 0 }
const file = (name: string, content = 'x', mode = 0o644): LayerEntry => ({
  type: 'file',
  name,
  mode,
  ...ids,
  content: Buffer.from(content),
})
const directory = (name: string, mode = 0o755): LayerEntry => ({ type: 'directory', name, mode, ...ids })
const link = (name: string, linkname: string): LayerEntry => ({
  type: 'symlink',
  name,
  mode: 0o777,
  ...ids,
  linkname,
})
const hard = (name: string, linkname: string): LayerEntry => ({
  type: 'hardlink',
  name,
  mode: 0o644,
  ...ids,
  linkname,
})

const apply = (host: string, ...entries: LayerEntry[]) => applyLayer(entriesLayer(entries).blocks(), host)

const text = (path: string) => readFileSync(path, 'utf8')

test('files, links and directories, by whatever form of names', async () => {
  const host = temporaryDirectory()
  await apply(
    host,
    directory('./'),
    directory('usr/'),
    directory('./usr/bin', 0o555),
    file('usr/bin/a', 'a', 0o4755),
    file('/usr/bin/b', 'b', 0o444),
    link('bin', 'usr/bin'),
    hard('usr/bin/c', 'usr/bin/a'),
    directory('closed', 0o000),
    file('closed/f'),
    file('no/parents/here'),
    directory('tmp', 0o1777),
  )
  expect(text(`${host}/bin/a`)).toBe('a')
  expect(statSync(`${host}/usr/bin/c`).ino).toBe(statSync(`${host}/usr/bin/a`).ino)
  const mode = (name: string) => statSync(`${host}/${name}`).mode & 0o7777
  // Ours must stay usable, and setuid would mean our user.
  expect(['usr/bin', 'usr/bin/a', 'usr/bin/b', 'closed', 'tmp'].map(mode)).toEqual([
    0o755, 0o755, 0o444, 0o700, 0o1777,
  ])
  expect(text(`${host}/no/parents/here`)).toBe('x')
})

test('devices and fifos are left out', async () => {
  const host = temporaryDirectory()
  await apply(
    host,
    { type: 'character-device', name: 'dev/null', mode: 0o666, ...ids, major: 1, minor: 3 },
    { type: 'fifo', name: 'pipe', mode: 0o666, ...ids },
    file('after'),
  )
  expect(readdirSync(host)).toEqual(['after'])
})

test('a later layer replaces', async () => {
  const host = temporaryDirectory()
  await apply(
    host,
    file('a', 'old'),
    directory('d'),
    file('d/f'),
    link('l', 'a'),
    file('keep'),
    directory('k'),
    file('k/1'),
  )
  await apply(
    host,
    file('a', 'new'),
    file('d', 'file now'),
    directory('l'),
    file('l/f'),
    directory('k'),
    file('k/2'),
  )
  expect(text(`${host}/a`)).toBe('new')
  expect(text(`${host}/d`)).toBe('file now')
  expect(lstatSync(`${host}/l`).isDirectory()).toBe(true)
  expect(readdirSync(`${host}/k`)).toEqual(['1', '2'])
})

describe('whiteouts', () => {
  test('take away what is below', async () => {
    const host = temporaryDirectory()
    await apply(host, file('a'), directory('d'), file('d/f'), link('l', 'a'), file('keep'))
    await apply(
      host,
      file('.wh.a', ''),
      file('.wh.d', ''),
      file('.wh.l', ''),
      file('.wh.nothing', ''),
      file('x/.wh.y', ''),
    )
    expect(readdirSync(host)).toEqual(['keep'])
  })

  test('are about layers below, not their own, in any order', async () => {
    for (const order of [0, 1]) {
      const host = temporaryDirectory()
      await apply(host, directory('d'), file('d/old'), file('f', 'old'))
      const entries = [
        [file('d/.wh..wh..opq', ''), file('.wh.f', '')],
        [directory('d'), directory('d/sub'), file('d/sub/new'), file('d/new'), file('f', 'new')],
      ]
      await apply(host, ...(order === 0 ? entries.flat() : entries.reverse().flat()))
      expect(readdirSync(`${host}/d`)).toEqual(['new', 'sub'])
      expect(text(`${host}/f`)).toBe('new')
    }
  })

  test('an opaque directory hides what is deep below, even in directories named again', async () => {
    const host = temporaryDirectory()
    await apply(host, directory('d'), directory('d/sub'), file('d/sub/old'), file('d/old'))
    await apply(host, directory('d'), directory('d/sub'), file('d/sub/new'), file('d/.wh..wh..opq', ''))
    expect(readdirSync(`${host}/d`)).toEqual(['sub'])
    expect(readdirSync(`${host}/d/sub`)).toEqual(['new'])
  })

  test.each(['.wh.', '.wh...', '.wh..'])('%s is refused', async (name) => {
    const host = temporaryDirectory()
    await expect(apply(host, file('d/f'), file(`d/${name}`, ''))).rejects.toMatchObject({
      code: 'OCI_TAR_OUTSIDE',
    })
  })

  test('the marks of storage drivers are nothing', async () => {
    const host = temporaryDirectory()
    await apply(host, file('a'), file('.wh..wh.plnk', ''), file('.wh..wh.aufs', ''))
    expect(readdirSync(host)).toEqual(['a'])
  })
})

describe('links', () => {
  test('lead to where they would in the image', async () => {
    const host = temporaryDirectory()
    await apply(host, directory('usr/lib'), link('lib', '/usr/lib'), link('lib64', 'lib'))
    await apply(
      host,
      file('lib/a'),
      file('lib64/b'),
      directory('lib/sub'),
      file('lib/sub/c'),
      link('up', '../../..'),
    )
    await apply(host, file('up/usr/d'))
    expect(readdirSync(`${host}/usr/lib`)).toEqual(['a', 'b', 'sub'])
    expect(text(`${host}/usr/d`)).toBe('x')
    expect(readlinkSync(`${host}/lib`)).toBe('/usr/lib')
  })

  test('to places that do not exist make them, inside', async () => {
    const host = temporaryDirectory()
    await apply(host, link('var', '/data/var'), file('var/log/x'))
    expect(text(`${host}/data/var/log/x`)).toBe('x')
  })

  test('put in place of directories count from then on', async () => {
    const host = temporaryDirectory()
    await apply(host, directory('a'), file('a/1'), directory('b'), link('a', 'b'), file('a/2'))
    expect(readdirSync(`${host}/b`)).toEqual(['2'])
    await apply(host, file('.wh.a', ''), file('a/3'))
    expect(readdirSync(`${host}/b`)).toEqual(['2'])
    expect(text(`${host}/a/3`)).toBe('x')
  })

  test('a loop is an error', async () => {
    const host = temporaryDirectory()
    await expect(apply(host, link('a', 'b'), link('b', 'a'), file('a/x'))).rejects.toMatchObject({
      code: 'CORE_LINK_LOOP',
    })
  })

  test('hard links do not reach outside', async () => {
    const outside = temporaryDirectory()
    writeFileSync(`${outside}/secret`, 'secret')
    const host = temporaryDirectory()
    for (const entries of [
      [hard('h', '../secret')],
      [link('l', outside), hard('h', 'l/secret')],
      [hard('h', `${outside}/secret`)],
      [directory('d'), hard('h', 'd')],
      [hard('h', 'missing')],
    ]) {
      await expect(apply(host, ...entries)).rejects.toMatchObject({
        code: expect.stringMatching(/^OCI_TAR_(OUTSIDE|LINK_MISSING)$/),
      })
    }
    expect(existsSync(`${host}/h`)).toBe(false)
  })

  test('a hard link to a link is the link', async () => {
    const host = temporaryDirectory()
    await apply(host, link('l', '/etc/passwd'), hard('h', 'l'), hard('h', 'h'))
    expect(readlinkSync(`${host}/h`)).toBe('/etc/passwd')
  })
})

test.each(['../x', 'a/../../x', '/../x'])('%s is refused', async (name) => {
  const parent = temporaryDirectory()
  mkdirSync(`${parent}/root`)
  await expect(apply(`${parent}/root`, file(name))).rejects.toMatchObject({ code: 'OCI_TAR_OUTSIDE' })
  expect(readdirSync(parent)).toEqual(['root'])
})

test('no sequence of entries reaches outside', async () => {
  const part = fc.constantFrom('a', 'b', 'c', '.wh.a', '.wh.b', '.wh..wh..opq', '..', '.')
  const name = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
  const target = fc.constantFrom('..', '../..', '/', '../outside', 'a', '/a/b', '../../../outside/kept')
  const entry = fc.oneof(
    name.map((item) => file(item)),
    name.map((item) => directory(item)),
    fc.tuple(name, target).map(([item, to]) => link(item, to)),
    fc.tuple(name, fc.oneof(name, target)).map(([item, to]) => hard(item, to)),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 10 }), async (entries) => {
      const parent = temporaryDirectory()
      mkdirSync(`${parent}/root`)
      mkdirSync(`${parent}/outside`)
      writeFileSync(`${parent}/outside/kept`, 'kept')
      await apply(`${parent}/root`, ...entries).catch((error: unknown) =>
        expect(error).toBeInstanceOf(SlipwayError),
      )
      expect(readdirSync(parent)).toEqual(['outside', 'root'])
      expect(readdirSync(`${parent}/outside`)).toEqual(['kept'])
      expect(text(`${parent}/outside/kept`)).toBe('kept')
      expect(statSync(`${parent}/outside/kept`).nlink).toBe(1)
    }),
    { numRuns: 300 },
  )
})

test('a directory with a name of many bytes', async () => {
  const parent = temporaryDirectory()
  const host = `${parent}/größe`
  mkdirSync(host)
  symlinkSync('x', `${host}/l`)
  await apply(host, file('\xff\xfe'), file('l', 'y'))
  expect(readdirSync(Buffer.from(host), 'latin1').sort()).toEqual(['l', '\xff\xfe'])
  chmodSync(host, 0o755)
})
