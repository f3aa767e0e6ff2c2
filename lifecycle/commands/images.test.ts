import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parseReference } from '../../oci/reference.ts'
import { startTestRegistry } from '../../oci/registry/testing/server.ts'
import { sourceOf } from '../../oci/registry/testing/suite.ts'
import { temporaryDirectory } from '../../oci/testing/temporary.ts'
import { openImages } from './images.ts'
import { inputsFromEnvironment } from './inputs.ts'

/** Two commands, as in two Pods, that push one layer to two repositories at once. */
async function pushTwice(env: Readonly<Record<string, string>>) {
  const server = await startTestRegistry()
  onTestFinished(() => server.close())
  const layer = randomBytes(100_000)
  await Promise.all(
    ['team/one', 'team/two'].map(async (name) => {
      await using images = await openImages(inputsFromEnvironment(env), env, () => {}, [])
      const repository = images.repository(parseReference(`${server.host}/${name}`))
      await repository.putBlob(sourceOf(layer, 'known'))
    }),
  )
  return [server.requests.get('upload-put') ?? 0, server.requests.get('mount') ?? 0]
}

test('commands send a layer each', async () => {
  expect(await pushTwice({})).toEqual([2, 0])
})

test('commands that are given a directory that they share send a layer once', async () => {
  const directory = join(temporaryDirectory(), 'not there yet')
  expect(await pushTwice({ SLIPWAY_SHARED_DIR: directory })).toEqual([1, 1])
})
