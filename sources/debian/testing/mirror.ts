/** A mirror of a made-up Debian archive on loopback, signed with a key of its own: for tests. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { makeXz } from '../../archive/testing/make.ts'

/** A key that signs, and its public half. */
export interface SigningKey {
  readonly publicKey: string
  sign(text: string): Promise<string>
}

export async function makeSigningKey(): Promise<SigningKey> {
  const openpgp = await import('openpgp')
  const { privateKey, publicKey } = await openpgp.generateKey({
    userIDs: [{ name: 'Archive of a test', email: 'test@archive.example' }],
    date: new Date(Date.now() - 60_000),
    format: 'object',
  })
  return {
    publicKey: publicKey.armor(),
    async sign(text) {
      const message = await openpgp.createCleartextMessage({ text })
      return openpgp.sign({ message, signingKeys: privateKey })
    },
  }
}

export interface MirrorPackage {
  readonly name: string
  readonly version: string
  readonly deb: Uint8Array
  /** Further lines of its stanza: `Depends: …`. */
  readonly fields?: readonly string[]
}

export interface MirrorSuite {
  readonly suite: string
  readonly packages: readonly MirrorPackage[]
  /** Lines of the Release that differ from those of Debian. */
  readonly release?: Readonly<Record<string, string>>
}

export interface Mirror extends AsyncDisposable {
  readonly uri: string
  /** Paths that were asked for, in order. */
  readonly requests: string[]
  /** What is served, by path: may be changed. */
  readonly files: Map<string, Uint8Array>
  /** Looked at before each answer; true when it has answered itself. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Serves some suites for amd64 and arm64 alike. */
export async function startMirror(key: SigningKey, suites: readonly MirrorSuite[]): Promise<Mirror> {
  const files = new Map<string, Uint8Array>()
  for (const suite of suites) {
    for (const [path, bytes] of await suiteFiles(key, suite)) files.set(path, bytes)
  }
  const requests: string[] = []
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://mirror').pathname.slice(1)
    requests.push(path)
    if (mirror.intercept(request, response)) return
    const bytes = files.get(path)
    if (bytes === undefined) response.writeHead(404).end('no such file')
    else response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const mirror: Mirror = {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    requests,
    files,
    intercept: () => false,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return mirror
}

async function suiteFiles(
  key: SigningKey,
  { suite, packages, release }: MirrorSuite,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  const stanzas = packages.map(({ name, version, deb, fields = [] }) => {
    const filename = `pool/${name}_${version}.deb`
    files.set(filename, deb)
    return [
      `Package: ${name}`,
      `Version: ${version}`,
      'Architecture: all',
      ...fields,
      `Filename: ${filename}`,
      `Size: ${deb.length}`,
      `SHA256: ${sha256(deb)}`,
      '',
    ].join('\n')
  })
  const index = makeXz(Buffer.from(stanzas.join('\n')))
  const sums: string[] = []
  for (const architecture of ['amd64', 'arm64']) {
    const folder = `main/binary-${architecture}`
    files.set(`dists/${suite}/${folder}/Packages.xz`, index)
    files.set(`dists/${suite}/${folder}/by-hash/SHA256/${sha256(index)}`, index)
    sums.push(` ${sha256(index)} ${index.length} ${folder}/Packages.xz`)
  }
  const lines = {
    Origin: 'Debian',
    Label: 'Debian',
    Suite: 'stable',
    Codename: suite,
    Date: new Date(Date.now() - 3_600_000).toUTCString(),
    'Acquire-By-Hash': 'yes',
    ...release,
  }
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}`)
  files.set(
    `dists/${suite}/InRelease`,
    Buffer.from(await key.sign([...head, 'SHA256:', ...sums, ''].join('\n'))),
  )
  return files
}
