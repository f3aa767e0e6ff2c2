import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { ImageAccess } from '../../lifecycle/context.ts'
import { type Images, rebaseImages } from '../../lifecycle/phases/rebase/testing/images.ts'
import { parseReference, repositoryName } from '../../oci/reference.ts'
import {
  type MemoryRepository,
  memoryRepository,
  memoryStore,
  validateImage,
} from '../../oci/testing/index.ts'
import { changeLines } from '../cli/rebase.ts'
import type { Session } from '../session.ts'
import { type ImageStore, openStore } from '../store/store.ts'
import { type RebaseRequest, rebaseImage } from './rebase.ts'

const RUN = 'slipway.local/run:trixie'
const metadata = (topLayer: unknown) => ({ metadata: { runImage: { topLayer, image: RUN } } })

let store: ImageStore
let remote: ImageAccess
let remotes: MemoryRepository[]
let local: Images
let published: Images
beforeEach(() => {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-rebase-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  store = openStore(directory)
  const blobs = memoryStore()
  remotes = []
  remote = {
    repository: (reference) => {
      const repository = memoryRepository(repositoryName(reference), blobs)
      remotes.push(repository)
      return repository
    },
  }
  local = rebaseImages(store)
  published = rebaseImages(remote)
})

function rebase(image: string, more: Partial<RebaseRequest> = {}, settings: object = {}) {
  const session = { store, settings, registry: async () => remote } as unknown as Session
  const request = {
    image: parseReference(image),
    publish: false,
    force: false,
    insecureRegistries: [],
    ...more,
  }
  return rebaseImage(request, session, () => undefined)
}

describe('slipway rebase', () => {
  test('puts an image of the store on the present run image, and says what changed', async () => {
    const old = await local.base(RUN)
    const app = await local.app('hello', old, metadata(old.config.rootfs.diff_ids.at(-1)))
    const same = await rebase('hello')
    expect(changeLines(same)).toEqual([`Base    ${RUN}, on which it stood already: no layer changed`])

    await local.base(RUN, { seed: 2, layers: 1 })
    const rebased = await rebase('hello')
    expect(rebased.image.digest).not.toBe(app.digest)
    await validateImage(await local.read('hello'))
    expect(changeLines(rebased)).toEqual([
      `Was     ${same.image.digest}`,
      `Base    ${RUN}: 1 layer in the place of 2 layers`,
      'Kept    2 layers of the app, none of them read',
      expect.stringMatching(/^Size {4}.* kB compressed, base image included$/),
    ])
    expect(remotes).toEqual([])
  })

  test('puts a published image on the run image of the store, and reads no layer of it', async () => {
    const name = 'registry.example/team/hello:1'
    const old = await published.base('registry.example/team/old')
    const app = await published.app(name, old, metadata(old.config.rootfs.diff_ids.at(-1)))
    await local.base(RUN, { seed: 2 })
    remotes.length = 0
    const { image } = await rebase(name, { publish: true })
    const calls = remotes.flatMap(({ calls }) => calls)
    for (const { digest } of app.manifest.layers) expect(calls).not.toContain(`openBlob ${digest}`)
    await validateImage(await published.read(name))
    expect((await published.read(name)).digest).toBe(image.digest)
  })

  test('takes a run image from a registry where the store has none of its name', async () => {
    const old = await local.base(RUN)
    await local.app('hello', old, metadata(old.config.rootfs.diff_ids.at(-1)))
    const other = 'registry.example/other:run'
    await published.base(other, { seed: 3 })
    const runImage = parseReference(other)
    await expect(rebase('hello', { runImage })).rejects.toMatchObject({ code: 'REBASE_RUN_IMAGE_UNLISTED' })
    const { runImage: used } = await rebase('hello', { runImage, force: true })
    expect(used).toBe(other)
    await validateImage(await local.read('hello'))
  })

  test('asks for a run image where there is none yet, by the name that is configured', async () => {
    await expect(rebase('hello')).rejects.toMatchObject({ code: 'REBASE_NO_RUN_IMAGE', subject: RUN })
    const settings = { runImage: 'registry.example/company/run:1' }
    await expect(rebase('hello', {}, settings)).rejects.toMatchObject({ subject: settings.runImage })
    await local.base(RUN)
    await expect(rebase('hello')).rejects.toMatchObject({ code: 'REBASE_IMAGE_MISSING' })
  })
})
