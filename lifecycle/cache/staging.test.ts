import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { writeCacheMetadata } from '../../spec/labels/cache-metadata.ts'
import { cacheDirectory } from './directory.ts'
import { type Content, contentOf, fill, metadataOf, shaOf, stage } from './testing/content.ts'

/**
 * Every call that changes the file system goes through here: before the nth one the process is killed, from when
 * none works any more, or somebody else comes in between.
 */
const step = vi.hoisted(() => ({ before: undefined as (() => void) | undefined, links: true }))

vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof fs>()
  const changing = [
    'ftruncateSync',
    'linkSync',
    'mkdirSync',
    'openSync',
    'renameSync',
    'rmSync',
    'writeSync',
  ] as const
  const stepping = changing.map((name) => [
    name,
    (...args: unknown[]) => {
      step.before?.()
      if (name === 'linkSync' && !step.links) throw Object.assign(new Error('no links'), { code: 'EPERM' })
      return (original[name] as (...args: unknown[]) => unknown)(...args)
    },
  ])
  return { ...original, ...Object.fromEntries(stepping) }
})

let directory: string

beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'slipway-cache-'))
})

afterEach(() => {
  step.before = undefined
  fs.rmSync(directory, { recursive: true })
})

const before: Content = { modules: 'the modules', compiler: 'the compiler' }
const after: Content = { modules: 'the modules', compiler: 'another compiler' }
const other: Content = { compiler: 'the compiler', tools: 'the tools' }

/**
 * Runs a commit of `after` over `before` as often as it has steps, each time with something happening before another
 * one of them; gives the number of steps.
 */
async function atEachStep(
  prepare: () => Promise<() => void>,
  check: (error: unknown) => Promise<void>,
): Promise<number> {
  for (let at = 0; ; at++) {
    fs.rmSync(directory, { recursive: true })
    fs.mkdirSync(directory)
    await fill(cacheDirectory(directory), before)
    const happen = await prepare()
    const cache = cacheDirectory(directory)
    let count = 0
    step.before = () => {
      if (count++ !== at) return
      const counting = step.before
      step.before = undefined
      try {
        happen()
      } finally {
        step.before ??= counting
      }
    }
    const error = await fill(cache, after).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    step.before = undefined
    if (count <= at) return at
    await check(error)
  }
}

describe('a commit', () => {
  it('leaves the old content or the new one whenever it is killed, and the next one works', async () => {
    const seen = new Set<string>()
    const steps = await atEachStep(
      async () => () => {
        step.before = kill
        kill()
      },
      async () => {
        const found = await contentOf(cacheDirectory(directory))
        seen.add(JSON.stringify(found))
        expect([before, after]).toContainEqual(found)
        await fill(cacheDirectory(directory), other)
        expect(await contentOf(cacheDirectory(directory))).toEqual(other)
      },
    )
    expect(steps).toBeGreaterThan(8)
    expect(seen.size).toBe(2)
  })

  it('loses nothing to another build that commits to the same directory at any moment', async () => {
    await atEachStep(
      () => rival(other),
      async (error) => {
        expect(error).toBeUndefined()
        const found = await contentOf(cacheDirectory(directory))
        expect([after, other]).toContainEqual(found)
      },
    )
  })

  it('withstands the Go lifecycle, which swaps the whole directory', async () => {
    await atEachStep(
      async () => () => swapAsGoDoes(other),
      async (error) => {
        expect(error).toBeUndefined()
        const found = await contentOf(cacheDirectory(directory))
        expect([after, other]).toContainEqual(found)
      },
    )
  })

  it('works where the file system has no hard links', async () => {
    await fill(cacheDirectory(directory), before)
    step.links = false
    expect(await fill(cacheDirectory(directory), after)).toEqual(['modules'])
    step.links = true
    expect(await contentOf(cacheDirectory(directory))).toEqual(after)
  })
})

function kill(): never {
  throw new Error('killed')
}

/** Another build that has gathered its content and commits it when told to. */
async function rival(content: Content): Promise<() => void> {
  const writer = await cacheDirectory(directory).begin()
  await stage(writer, content)
  // Its work is done when the call returns: nothing in a commit waits.
  return () => void writer.commit(metadataOf(content))
}

function swapAsGoDoes(content: Content): void {
  const staging = join(directory, 'staging')
  fs.mkdirSync(staging)
  for (const [name, tar] of Object.entries(content)) {
    fs.writeFileSync(join(staging, `${shaOf(content, name)}.tar`), tar)
  }
  fs.writeFileSync(
    join(staging, 'io.buildpacks.lifecycle.cache.metadata'),
    `${writeCacheMetadata(metadataOf(content))}\n`,
  )
  fs.renameSync(join(directory, 'committed'), join(directory, 'committed-backup'))
  fs.renameSync(staging, join(directory, 'committed'))
  fs.rmSync(join(directory, 'committed-backup'), { recursive: true })
}
