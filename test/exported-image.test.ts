/**
 * What an export makes of directories: an image that is right in every digest and, file by file, what the Go lifecycle makes
 * of the same directories. REFERENCE_LIFECYCLE names the folder with its programs, CRANE the program of that name; without
 * them our own reader is the judge.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lifecycle, packageOurs, referenceOf } from '../bench/lifecycles.ts'
import { measure } from '../bench/measure.ts'
import { type Registry, startRegistry } from '../bench/registry.ts'
import { makeTree } from '../bench/trees.ts'
import { builderUser } from '../bench/user.ts'
import { Workplace } from '../bench/workplace.ts'
import { createHttpClient, type HttpClient } from '../core/http/index.ts'
import type { Image } from '../oci/image.ts'
import { imageLayers, readImage } from '../oci/read-image.ts'
import { parseReference } from '../oci/reference.ts'
import { createRegistry } from '../oci/registry/index.ts'
import { readTar } from '../oci/tar/reader.ts'
import { validateImage } from '../oci/testing/validate-image.ts'

const LAYERS = [{ tree: 'modules', types: 'launch,cache' }]
const reference = referenceOf(process.env)
const crane = process.env.CRANE

let folder: string
let registry: Registry
let http: HttpClient
let ours: Workplace
let images: { readonly gzip: Image; readonly zstd: Image; readonly reference?: Image }

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-exported-'))
  chmodSync(folder, 0o755)
  http = await createHttpClient({ userAgent: 'slipway-test' })
  registry = await startRegistry(folder, join(folder, 'registry'))
  const tree = (name: string) => join(folder, 'trees', name)
  makeTree('little', tree('little'))
  makeTree('little', tree('modules'))
  addOddities(tree('little'))
  addOddities(tree('modules'))
  const world = { folder: join(folder, 'work'), registry, user: builderUser(), tree }
  const lifecycle = packageOurs(folder)
  ours = new Workplace(world, lifecycle, { name: 'ours', app: tree('little'), layers: LAYERS })
  await ours.phases('analyzer', 'detector', 'restorer', 'builder', 'exporter')
  const gzip = await imageAt(ours.image)
  // No earlier image is known of, so nothing is taken from the first one.
  await ours.phase('exporter', '-compression', 'zstd')
  images = {
    gzip,
    zstd: await imageAt(ours.image),
    ...(reference && { reference: await exportedBy(reference) }),
  }
})

afterAll(async () => {
  await registry?.close()
  await http?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What archives differ in most: links, modes, empty and long names, sizes around a block's. */
function addOddities(directory: string): void {
  const at = (name: string) => join(directory, name)
  mkdirSync(at('empty'))
  writeFileSync(at('nothing'), '')
  writeFileSync(at('set-uid'), 'x'.repeat(512))
  chmodSync(at('set-uid'), 0o4755)
  symlinkSync('nothing', at('link'))
  symlinkSync('/nowhere/at/all', at('broken'))
  linkSync(at('set-uid'), at('hard'))
  writeFileSync(at(`${'long'.repeat(30)}-${'é'.repeat(20)}`), 'y'.repeat(513))
  for (const name of ['a', 'a-b', 'a.b']) mkdirSync(at(name))
  writeFileSync(at('a/x'), 'in a directory whose name others begin with')
}

/** What another lifecycle's exporter makes of what stands in the same directories, with the same launcher. */
async function exportedBy({ folder: programs }: Lifecycle): Promise<Image> {
  const command = ours.command('exporter')
  const image = `${ours.image}-by-reference`
  const argv = [join(programs, 'exporter'), ...command.argv.slice(1, -1), image]
  await measure({ ...command, argv }, folder, registry)
  return imageAt(image)
}

async function imageAt(name: string): Promise<Image> {
  const repository = createRegistry({ http, insecure: [registry.host] }).repository(parseReference(name))
  const image = await readImage(repository, 'latest')
  if (image === undefined) throw new Error(`there is no ${name}`)
  return image
}

/** Every entry of every layer, and what is in it. */
async function filesOf(image: Image): Promise<readonly string[]> {
  const files: string[] = []
  for (const [index, layer] of imageLayers(image).entries()) {
    let hash = createHash('sha256')
    await readTar(layer.open(), {
      entry({ name, type, mode, uid, gid, ...rest }) {
        const size = 'size' in rest ? rest.size : 0
        const linkname = 'linkname' in rest ? rest.linkname : ''
        files.push([index, type, name, mode.toString(8), uid, gid, rest.mtime, size, linkname].join(' '))
        hash = createHash('sha256')
      },
      data: (bytes) => void hash.update(bytes),
      end: () => void files.push(`${files.pop()} ${hash.copy().digest('hex')}`),
    })
  }
  return files
}

/**
 * Without the directories above layers and app, which ours writes as the builder image has them and the Go lifecycle as
 * they are on the machine (docs/decisions/007-owners-in-layers.md).
 */
function comparable(files: readonly string[]): readonly string[] {
  return files.filter((line) => {
    const [, type, name = ''] = line.split(' ')
    return (
      !(type === 'directory' && join(folder, 'work/ours/layers').startsWith(name)) &&
      name !== join(folder, 'trees')
    )
  })
}

describe.each(['gzip', 'zstd'] as const)('an image with %s layers', (compression) => {
  test('is right in every digest, size and type', async () => {
    const image = images[compression]
    expect(image.manifest.layers.at(-1)?.mediaType).toBe(
      `application/vnd.oci.image.layer.v1.tar+${compression}`,
    )
    await validateImage(image)
  })

  test.skipIf(reference === undefined)(
    'is file by file what the Go lifecycle exports (REFERENCE_LIFECYCLE)',
    async () => {
      const files = await filesOf(images[compression])
      expect(files.length).toBeGreaterThan(1_400)
      expect(comparable(files)).toEqual(comparable(await filesOf(images.reference as Image)))
    },
  )
})

// crane reads every layer as gzip.
test.skipIf(crane === undefined)('an image with gzip layers passes `crane validate` (CRANE)', () => {
  const name = `${ours.image}@${images.gzip.digest}`
  execFileSync(crane ?? '', ['validate', '--insecure', '--remote', name], { stdio: 'pipe' })
})

test('the same files are in both', async () => {
  expect(await filesOf(images.zstd)).toEqual(await filesOf(images.gzip))
})
