import { once } from 'node:events'
import { createHttpClient } from '../../core/http/client.ts'
import { copyImage } from '../../oci/copy.ts'
import { openLayout } from '../../oci/layout/layout.ts'
import { readImage } from '../../oci/read-image.ts'
import { identifier, parseReference, repositoryName } from '../../oci/reference.ts'
import { createRegistry } from '../../oci/registry/index.ts'

/** What one process of the load test does: all of its images at once, as soon as a line comes in. */
export interface WorkerTask {
  readonly work: 'push' | 'pull'
  /** The layout with the images. */
  readonly store: string
  /** Whether it has to do with the others. */
  readonly shares: boolean
  /** Names of images in the registry, and in the layout. */
  readonly images: readonly string[]
}

// node worker.ts TASK: says `ready`, then `sent DIGEST` for each blob that it sent.
const { work, store, shares, images } = JSON.parse(process.argv[2] ?? '') as WorkerTask
const say = (line: string) => void process.stdout.write(`${line}\n`)
const layout = openLayout(store)
const http = createHttpClient()
const registry = createRegistry({
  http,
  emit: (event) => {
    if (event.type === 'bytes-uploaded') say(`sent ${event.digest}`)
  },
  ...(shares ? { sharing: layout.sharing } : {}),
})

say('ready')
await once(process.stdin, 'data')
process.stdin.destroy()
await Promise.all(
  images.map(async (name) => {
    const reference = parseReference(name)
    const here = layout.repository(repositoryName(reference))
    const there = registry.repository(reference)
    const [from, to] = work === 'push' ? [here, there] : [there, here]
    const image = await readImage(from, identifier(reference))
    if (image === undefined) throw new Error(`${name} is missing`)
    await copyImage(image, to, [identifier(reference)])
  }),
)
await http.close()
