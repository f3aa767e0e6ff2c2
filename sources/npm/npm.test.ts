import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { pack } from 'tar-stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createHttpClient, type HttpClient, withRetry } from '../../core/http/index.ts'
import { fetchVersions, type NpmVersion, tarballAddress } from './registry.ts'
import { tarFiles } from './tar.ts'
import { extractTarball } from './tarball.ts'

let server: Server
let base: string
let http: HttpClient
let folder: string
let answer: (request: IncomingMessage, response: ServerResponse) => void
let seen: { url: string; authorization: string | undefined }[]

beforeEach(async () => {
  seen = []
  server = createServer((request, response) => {
    seen.push({ url: request.url ?? '', authorization: request.headers.authorization })
    answer(request, response)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/npm/`
  http = withRetry(createHttpClient(), { sleep: async () => undefined })
  folder = mkdtempSync(join(tmpdir(), 'slipway-npm-'))
})
afterEach(async () => {
  await http.close()
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  rmSync(folder, { recursive: true, force: true })
})

function packument(versions: Record<string, object>): void {
  answer = (_, response) => void response.end(JSON.stringify({ name: 'pkg', versions }))
}

const dist = (file: string) => ({
  tarball: `https://origin.example/pkg/-/${file}.tgz`,
  integrity: 'sha512-x',
})

describe('fetchVersions', () => {
  it('gives versions that carry a digest, with archives below the registry that answered', async () => {
    packument({
      '1.0.0': { dist: dist('pkg-1.0.0') },
      '0.9.0': { dist: {} },
      '1.1.0': { dist: dist('pkg-1.1.0'), deprecated: 'no' },
    })
    expect(await fetchVersions(http, { url: base }, 'pkg')).toEqual([
      {
        name: 'pkg',
        version: '1.0.0',
        tarball: `${base}pkg/-/pkg-1.0.0.tgz`,
        integrity: 'sha512-x',
        deprecated: false,
      },
      {
        name: 'pkg',
        version: '1.1.0',
        tarball: `${base}pkg/-/pkg-1.1.0.tgz`,
        integrity: 'sha512-x',
        deprecated: true,
      },
    ])
    expect(seen).toEqual([{ url: '/npm/pkg', authorization: undefined }])
  })

  it('sends the credentials of the registry, from .npmrc or its address', async () => {
    packument({})
    const key = `${base.slice('http:'.length)}:_authToken`
    await fetchVersions(http, { url: base, credentials: { npm: { [key]: 'token' }, urls: {} } }, '@scope/pkg')
    const urls = { [base]: base.replace('://', '://me:p%40ss@') }
    await fetchVersions(http, { url: base, credentials: { npm: {}, urls } }, 'pkg')
    expect(seen).toEqual([
      { url: '/npm/@scope%2fpkg', authorization: 'Bearer token' },
      { url: '/npm/pkg', authorization: `Basic ${Buffer.from('me:p@ss').toString('base64')}` },
    ])
  })

  it.each([
    [404, '{}', 'SOURCE_NPM_PACKAGE_MISSING'],
    [401, '', 'SOURCE_NPM_ACCESS_DENIED'],
    [403, '', 'SOURCE_NPM_ACCESS_DENIED'],
    [200, '<html>log in</html>', 'HTTP_BODY_INVALID'],
    [200, '{"versions":[]', 'HTTP_BODY_INVALID'],
    [200, '{"error":"x"}', 'SOURCE_NPM_ANSWER_INVALID'],
    [418, 'teapot', 'HTTP_STATUS'],
  ])('%i %s is %s', async (status, body, code) => {
    answer = (_, response) => void response.writeHead(status).end(body)
    await expect(fetchVersions(http, { url: base }, 'pkg')).rejects.toMatchObject({ code })
  })

  it('says that a registry cannot be reached', async () => {
    const closed = new URL(base)
    await new Promise((done) => server.close(done))
    await expect(fetchVersions(http, { url: closed.href }, 'pkg')).rejects.toMatchObject({
      code: 'SOURCE_NPM_UNREACHABLE',
      hint: expect.stringContaining('proxy'),
    })
  })
})

describe('tarballAddress', () => {
  it.each([
    ['pkg', 'https://o.example/pkg/-/pkg-1.0.0.tgz', 'https://m.example/r/pkg/-/pkg-1.0.0.tgz'],
    ['@s/pkg', 'https://o.example/a/@s%2fpkg/-/pkg-1.0.0.tgz', 'https://m.example/r/@s/pkg/-/pkg-1.0.0.tgz'],
    ['pkg', 'https://o.example/download/pkg/1.0.0/abc', 'https://o.example/download/pkg/1.0.0/abc'],
    ['pkg', 'https://o.example/pkg/-/..%2f..%2fx.tgz', 'https://o.example/pkg/-/..%2f..%2fx.tgz'],
  ])('%s %s', (name, tarball, expected) => {
    expect(tarballAddress('https://m.example/r/', name, tarball)).toBe(expected)
  })
})

interface Entry {
  readonly name: string
  readonly text?: string
  readonly mode?: number
  readonly type?: 'file' | 'symlink' | 'directory'
  readonly linkname?: string
}

async function archive(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack()
  for (const { text = '', ...header } of entries) tar.entry(header, text)
  tar.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of tar) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks)
}

function version(bytes: Buffer, integrity?: string): NpmVersion {
  return {
    name: 'pkg',
    version: '1.0.0',
    tarball: `${base}pkg/-/pkg-1.0.0.tgz`,
    integrity: integrity ?? `sha1-old sha512-${createHash('sha512').update(bytes).digest('base64')}`,
    deprecated: false,
  }
}

const everything = (path: string) => join(folder, path)

describe('extractTarball', () => {
  it('writes the selected files with clean modes', async () => {
    const long = `deep/${'x'.repeat(120)}/file`
    const bytes = gzipSync(
      await archive([
        { name: 'package/bin/node', text: 'program', mode: 0o777 },
        { name: 'package/README', text: 'skipped' },
        { name: `package/${long}`, text: 'long', mode: 0o600 },
        { name: 'package/link', type: 'symlink', linkname: '/etc/passwd' },
      ]),
    )
    answer = (_, response) => void response.end(bytes)
    const count = await extractTarball(http, { url: base }, version(bytes), {
      select: (path) => (path === 'README' ? undefined : everything(path)),
    })
    expect(count).toBe(2)
    expect(readFileSync(join(folder, 'bin/node'), 'utf8')).toBe('program')
    expect(statSync(join(folder, 'bin/node')).mode & 0o777).toBe(0o755 & ~process.umask())
    expect(statSync(join(folder, long)).mode & 0o777).toBe(0o644 & ~process.umask())
    expect(existsSync(join(folder, 'link'))).toBe(false)
  })

  it('removes what it wrote when the digest is wrong', async () => {
    const bytes = gzipSync(await archive([{ name: 'package/a', text: 'changed' }]))
    answer = (_, response) => void response.end(bytes)
    await expect(
      extractTarball(http, { url: base }, version(bytes, 'sha512-AAAA'), { select: everything }),
    ).rejects.toMatchObject({ code: 'SOURCE_INTEGRITY_MISMATCH' })
    expect(readdirSync(folder)).toEqual([])
  })

  it('names the digest, not the damage, for an archive that is cut or no archive', async () => {
    const good = gzipSync(await archive([{ name: 'package/a', text: 'x'.repeat(10_000) }]))
    for (const served of [good.subarray(0, 60), Buffer.from('<html>'), Buffer.alloc(0)]) {
      answer = (_, response) => void response.end(served)
      await expect(
        extractTarball(http, { url: base }, version(good), { select: everything }),
      ).rejects.toMatchObject({ code: 'SOURCE_INTEGRITY_MISMATCH' })
    }
    const rubbish = Buffer.from('no gzip')
    answer = (_, response) => void response.end(rubbish)
    await expect(
      extractTarball(http, { url: base }, version(rubbish), { select: everything }),
    ).rejects.toMatchObject({ code: 'SOURCE_ARCHIVE_INVALID' })
  })

  it('starts again when the connection is lost', async () => {
    const bytes = gzipSync(await archive([{ name: 'package/a', text: 'whole' }]), { level: 0 })
    let tries = 0
    answer = (_, response) => {
      if (++tries > 1) return void response.end(bytes)
      response.writeHead(200, { 'content-length': bytes.length })
      response.write(bytes.subarray(0, 100), () => response.destroy())
    }
    await extractTarball(http, { url: base }, version(bytes), { select: everything })
    expect(tries).toBe(2)
    expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('whole')
  })

  it('never writes outside, and only what is selected by a clean path', async () => {
    const names = ['package/../../evil', '/package/abs', 'package//./ok', '../evil2', 'package/a/../../evil3']
    const bytes = gzipSync(await archive(names.map((name) => ({ name, text: 'x' }))))
    answer = (_, response) => void response.end(bytes)
    const asked: string[] = []
    await extractTarball(http, { url: base }, version(bytes), {
      select: (path) => {
        asked.push(path)
        return everything(path)
      },
    })
    expect(asked.filter((path) => path.includes('..') || path.startsWith('/'))).toEqual([])
    expect(readdirSync(folder)).toContain('ok')
  })

  it('stops at the limit of bytes, and without a strong digest', async () => {
    const bytes = gzipSync(await archive([{ name: 'package/a', text: 'x'.repeat(5000) }]))
    answer = (_, response) => void response.end(bytes)
    await expect(
      extractTarball(http, { url: base }, version(bytes), { select: everything, maxBytes: 4999 }),
    ).rejects.toMatchObject({ code: 'SOURCE_ARCHIVE_TOO_LARGE' })
    await expect(
      extractTarball(http, { url: base }, version(bytes, 'sha1-abc'), { select: everything }),
    ).rejects.toMatchObject({ code: 'SOURCE_INTEGRITY_UNSUPPORTED' })
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('tarFiles', () => {
  async function* inPieces(bytes: Buffer, size: number) {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }

  it('reads what tar-stream writes, however it is cut into pieces', async () => {
    const name = fc
      .string({ unit: fc.constantFrom(...'abé/'), minLength: 1, maxLength: 200 })
      .map((text) => `package/${text}x`)
    const entry = fc.record({ name, text: fc.string({ maxLength: 1500 }) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 5 }),
        fc.integer({ min: 1, max: 3000 }),
        async (entries, size) => {
          const found: { name: string; text: string }[] = []
          for await (const file of tarFiles(inPieces(await archive(entries), size), 'x')) {
            const chunks: Uint8Array[] = []
            for await (const chunk of file.content) chunks.push(Buffer.from(chunk))
            found.push({ name: file.path, text: Buffer.concat(chunks).toString('utf8') })
          }
          expect(found).toEqual(entries)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('fails with its own error on any bytes', async () => {
    const good = await archive([{ name: 'package/a', text: 'x'.repeat(600) }])
    const damaged = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }))
    await fc.assert(
      fc.asyncProperty(fc.array(damaged, { maxLength: 4 }), fc.nat(good.length), async (changes, length) => {
        const bytes = Buffer.from(good)
        for (const [at, value] of changes) bytes[at] = value
        try {
          for await (const _ of tarFiles(inPieces(bytes.subarray(0, length), 512), 'x'));
        } catch (error) {
          expect(error).toMatchObject({ code: 'SOURCE_ARCHIVE_INVALID' })
        }
      }),
    )
  })
})
