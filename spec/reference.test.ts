/**
 * Files and labels that the Go lifecycle wrote (recorded by fixtures/reference/record) are read and written back: the
 * same bytes come out.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { goJson } from '../core/go-json.ts'
import { parseApiVersion } from './api-version.ts'
import { parseAnalyzed, writeAnalyzed } from './files/analyzed.ts'
import { parseBuildpackPlan, writeBuildpackPlan } from './files/buildpack-plan.ts'
import { parseGroup, writeGroup } from './files/group.ts'
import { parseLayerContent, writeRestoredLayerContent } from './files/layer.ts'
import { parseBuildMetadata, writeBuildMetadata } from './files/metadata.ts'
import { parsePlan, writePlan } from './files/plan.ts'
import { parseProjectMetadata } from './files/project-metadata.ts'
import { parseReport, writeReport } from './files/report.ts'
import { parseRun, parseStack, writeRun, writeStack } from './files/run.ts'
import type { FileSource } from './files/source.ts'
import { parseStore, writeStore } from './files/store.ts'
import { tomlToJson } from './json.ts'
import { parseBuildLabel, writeBuildLabel } from './labels/build-metadata.ts'
import { parseCacheMetadata, writeCacheMetadata } from './labels/cache-metadata.ts'
import {
  EMPTY_LIFECYCLE_METADATA,
  parseLifecycleMetadata,
  writeLifecycleMetadata,
} from './labels/lifecycle-metadata.ts'
import { parseProjectLabel, writeProjectLabel } from './labels/project-metadata.ts'

const reference = (name: string) =>
  readFileSync(new URL(`fixtures/reference/${name}`, import.meta.url), 'utf8')

type RoundTrip = (text: string, source: FileSource) => string

const FILES: Readonly<Record<string, RoundTrip>> = {
  'analyzed-empty.toml': (text, source) => writeAnalyzed(parseAnalyzed(text, source)),
  'analyzed-full.toml': (text, source) => writeAnalyzed(parseAnalyzed(text, source)),
  'group.toml': (text, source) => writeGroup(parseGroup(text, source)),
  'group-extensions.toml': (text, source) => writeGroup(parseGroup(text, source)),
  'plan.toml': (text, source) => writePlan(parsePlan(text, source)),
  'plan-empty.toml': (text, source) => writePlan(parsePlan(text, source)),
  'buildpack-plan.toml': (text, source) => writeBuildpackPlan(parseBuildpackPlan(text, source)),
  'report.toml': (text, source) => writeReport(parseReport(text, source)),
  'report-daemon.toml': (text, source) => writeReport(parseReport(text, source)),
  'report-bom.toml': (text, source) => writeReport(parseReport(text, source)),
  'run.toml': (text, source) => writeRun(parseRun(text, source)),
  'stack.toml': (text, source) => writeStack(parseStack(text, source)),
  'store.toml': (text, source) => writeStore(parseStore(text, source)),
  'store-empty.toml': (text, source) => writeStore(parseStore(text, source)),
  'layer-restored.toml': (text, source) => writeRestoredLayerContent(parseLayerContent(text, source)),
  'lifecycle-metadata.json': (text, source) => writeLifecycleMetadata(parseLifecycleMetadata(text, source)),
  'lifecycle-metadata-empty.json': (text, source) =>
    writeLifecycleMetadata(parseLifecycleMetadata(text, source)),
  'cache-metadata.json': (text, source) => writeCacheMetadata(parseCacheMetadata(text, source)),
  'cache-metadata-empty.json': (text, source) => writeCacheMetadata(parseCacheMetadata(text, source)),
  'project-metadata.json': (text, source) => writeProjectLabel(parseProjectLabel(text, source)),
  'project-metadata-empty.json': (text, source) => writeProjectLabel(parseProjectLabel(text, source)),
}

test.each(Object.entries(FILES))('%s', (name, roundTrip) => {
  const text = reference(name)
  expect(roundTrip(text, { file: name })).toBe(text)
})

describe.each(['0.8', '0.9', '0.15'])('metadata.toml and its label for Platform API %s', (api) => {
  const platformApi = parseApiVersion(api)
  test.each([`metadata-${api}`, `metadata-min-${api}`])('%s', (name) => {
    const text = reference(`${name}.toml`)
    const metadata = parseBuildMetadata(text, { file: name })
    expect(writeBuildMetadata(metadata, { platformApi })).toBe(text)

    const label = reference(`build-${name}.json`)
    const { launcher } = parseBuildLabel(label, { file: name })
    expect(writeBuildLabel(metadata, { platformApi, launcher })).toBe(label)
  })
})

test('metadata.toml of a new Platform API is written for an old one', () => {
  const metadata = parseBuildMetadata(reference('metadata-0.15.toml'), { file: 'metadata.toml' })
  const old = writeBuildMetadata(metadata, { platformApi: parseApiVersion('0.9') })
  expect(old).toBe(reference('metadata-0.9.toml'))
})

test('metadata of a layer becomes the JSON that Go makes of it', () => {
  const { metadata, build, launch, cache } = parseLayerContent(reference('layer-src.toml'), {
    file: 'layer.toml',
  })
  const json = goJson({ data: tomlToJson(metadata ?? ''), build, launch, cache })
  expect(json).toBe(reference('layer-data.json'))
  expect(writeRestoredLayerContent(metadata === undefined ? {} : { metadata })).toBe(
    reference('layer-restored.toml'),
  )
})

test('project-metadata.toml becomes the label', () => {
  const project = parseProjectMetadata(reference('project-src.toml'), { file: 'project-metadata.toml' })
  expect(writeProjectLabel(project)).toBe(reference('project-metadata.json'))
})

test('without a previous image analyzed.toml has empty layers', () => {
  const metadata = EMPTY_LIFECYCLE_METADATA
  const text = writeAnalyzed({ metadata, runImage: { reference: '', extend: false } })
  expect(text).toBe(reference('analyzed-empty.toml'))
})
