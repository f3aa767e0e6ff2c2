/** Inputs that are large: they pass through, and the memory that they take does not grow with them. */

import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  ORDINARY_USER,
  type TestLifecycle,
  testLifecycle,
  testPlace,
} from '../../lifecycle/commands/testing/lifecycle.ts'
import {
  type RegistryWithRunImage,
  registryWithRunImage,
} from '../../lifecycle/commands/testing/run-image.ts'
import { builtProgram } from '../../native/testing/programs.ts'
import { imageLayers, readImage } from '../../oci/read-image.ts'
import { parseReference } from '../../oci/reference.ts'
import { readTar } from '../../oci/tar/reader.ts'
import { IS_LONG } from './settings.ts'

let lifecycle: TestLifecycle
let server: RegistryWithRunImage
beforeAll(async () => {
  lifecycle = await testLifecycle()
  server = await registryWithRunImage()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  lifecycle[Symbol.dispose]()
})

/** Builds an app and gives the most memory that the process ever had, and what the app's layer holds. */
async function create(name: string, fill: (app: string) => void) {
  const place = testPlace(lifecycle)
  place.buildpack('a/b', { detect: 'exit 0', build: 'exit 0' })
  place.order(['a/b'])
  copyFileSync(builtProgram('launcher'), place.path('launcher'))
  fill(place.path('app'))
  const image = `${server.host}/${name}`
  const user = ['-uid', String(ORDINARY_USER), '-gid', String(ORDINARY_USER)]
  const started = lifecycle.start('creator', [
    ...[...place.detectFlags, ...user, '-launcher', place.path('launcher')],
    ...['-run-image', `${server.host}/run`, image],
  ])
  let peak = 0
  const watching = setInterval(() => (peak = Math.max(peak, peakMemory(started.pid))), 20)
  const ended = await started.ended
  clearInterval(watching)
  expect(ended.code, ended.stdout).toBe(0)
  return { peak, entries: await countEntries(image, place.path('app').slice(1)) }
}

/** MiB, from the kernel's own high-water mark; 0 where the process is gone. */
function peakMemory(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}

async function countEntries(name: string, below: string) {
  const image = await readImage(server.registry.repository(parseReference(name)), 'latest')
  if (image === undefined) throw new Error(`there is no ${name}`)
  const counted = { files: 0, bytes: 0 }
  for (const layer of imageLayers(image)) {
    await readTar(layer.open(), {
      entry: (entry) => {
        if (entry.type !== 'file' || !entry.name.replace(/^\//, '').startsWith(`${below}/`)) return
        counted.files++
        counted.bytes += entry.size
      },
      data() {},
      end() {},
    })
  }
  return counted
}

describe.skipIf(!IS_LONG)(
  'large inputs (npm run test:chaos: they take minutes and gigabytes of reading)',
  () => {
    test('a file of 3 GiB', { timeout: 1_800_000 }, async () => {
      const size = 3 * 2 ** 30
      const { entries, peak } = await create('large', (app) => {
        writeFileSync(`${app}/large`, '')
        truncateSync(`${app}/large`, size)
      })
      expect(entries).toEqual({ files: 1, bytes: size })
      console.log(`a file of 3 GiB: ${Math.round(peak)} MiB at most`)
      expect(peak).toBeGreaterThan(0)
      expect(peak).toBeLessThan(400)
    })

    test('200,000 files', { timeout: 1_800_000 }, async () => {
      const { entries, peak } = await create('many', (app) => {
        for (let folder = 0; folder < 200; folder++) {
          mkdirSync(`${app}/${folder}`)
          for (let file = 0; file < 1000; file++)
            writeFileSync(`${app}/${folder}/${file}`, `${folder} ${file}`)
        }
      })
      expect(entries.files).toBe(200_000)
      console.log(`200,000 files: ${Math.round(peak)} MiB at most`)
      expect(peak).toBeGreaterThan(0)
      expect(peak).toBeLessThan(800)
    })
  },
)
