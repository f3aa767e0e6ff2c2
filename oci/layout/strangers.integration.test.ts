import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Image } from '../image.ts'
import { readImage } from '../read-image.ts'
import { randomImage, validateImage } from '../testing/index.ts'
import { temporaryDirectory } from '../testing/temporary.ts'
import { openLayout } from './layout.ts'

function skopeo(...args: string[]): string {
  try {
    return execFileSync('skopeo', args, { encoding: 'utf8' })
  } catch (cause) {
    if ((cause as { code?: string }).code !== 'ENOENT') throw cause
    throw new Error('this test needs skopeo (Debian: skopeo)', { cause })
  }
}

test('skopeo reads and copies what we write', async () => {
  const directory = temporaryDirectory()
  const name = 'r.example:5000/app/web'
  const image = await randomImage({
    repository: openLayout(directory).repository(name),
    tags: ['1.0'],
    config: { Labels: { 'io.x': '<a&b>' }, Env: ['A=b'] },
  })
  const seen = JSON.parse(skopeo('inspect', `oci:${directory}:${name}:1.0`))
  expect(seen).toMatchObject({ Digest: image.digest, Labels: { 'io.x': '<a&b>' }, Env: ['A=b'] })
  expect(seen.Layers).toEqual(image.manifest.layers.map((layer) => layer.digest))

  const other = temporaryDirectory()
  skopeo('copy', '--insecure-policy', '--quiet', `oci:${directory}:${name}:1.0`, `oci:${other}/copy:theirs`)
  const theirs = (await readImage(openLayout(`${other}/copy`).repository(''), 'theirs')) as Image
  await validateImage(theirs)
  expect(theirs.config.rootfs.diff_ids).toEqual(image.config.rootfs.diff_ids)
})

test('skopeo writes into our layout, and we go on', async () => {
  const directory = temporaryDirectory()
  const layout = openLayout(directory)
  await randomImage({ repository: layout.repository('app'), seed: 1, tags: ['1'] })
  skopeo('copy', '--insecure-policy', '--quiet', `oci:${directory}:app:1`, `oci:${directory}:theirs/app:2`)
  await randomImage({ repository: layout.repository('app'), seed: 2, tags: ['3'] })
  skopeo('copy', '--insecure-policy', '--quiet', `oci:${directory}:app:3`, `oci:${directory}:theirs/app:2`)
  expect(layout.images().map(({ name }) => name)).toEqual([
    'app:1',
    // skopeo takes the name from what it replaces and leaves it there.
    undefined,
    'app:3',
    'theirs/app:2',
  ])
  await validateImage((await readImage(layout.repository('theirs/app'), '2')) as Image)
})

const WRITER = `
  import { openLayout } from ${JSON.stringify(join(import.meta.dirname, 'layout.ts'))}
  import { randomImage } from ${JSON.stringify(join(import.meta.dirname, '..', 'testing', 'random-image.ts'))}
  const [directory, number] = process.argv.slice(2)
  const repository = openLayout(directory).repository('app')
  for (let round = 0; ; round++) {
    await randomImage({ repository, seed: round, layers: 1, tags: ['w' + number + '-r' + round] })
    process.send(round)
    if (round === 19) break
  }
  process.disconnect()
`

test('many processes write at once, some are killed, and nothing that was told is lost', async () => {
  const directory = join(temporaryDirectory(), 'layout')
  const script = join(temporaryDirectory(), 'writer.mjs')
  writeFileSync(script, WRITER)
  const told = new Map<number, number>()
  const writers = Array.from({ length: 6 }, (_, number) => {
    const child = fork(script, [directory, String(number)], { execArgv: [] })
    child.on('message', (round) => {
      told.set(number, round as number)
      // Half of them end in the middle of their next image.
      if (number % 2 === 1 && round === 3 + number) setTimeout(() => child.kill('SIGKILL'), number)
    })
    return once(child, 'exit')
  })
  const codes = (await Promise.all(writers)).map(([code]) => code)
  expect(codes.filter((_, number) => number % 2 === 0)).toEqual([0, 0, 0])

  const layout = openLayout(directory)
  const names = layout.images().map(({ name }) => name)
  for (const [number, last] of told) {
    for (let round = 0; round <= last; round++) expect(names).toContain(`app:w${number}-r${round}`)
  }
  for (const { name } of layout.images()) {
    await validateImage((await readImage(layout.repository(''), name as string)) as Image)
  }
  expect(new Set(names).size).toBe(names.length)
  skopeo('inspect', `oci:${directory}:app:w0-r19`)
})
