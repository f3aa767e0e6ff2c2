/** Whatever a file or label says, a parser gives data or a SlipwayError; and what it gives survives writing. */
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SlipwayError } from '../core/error.ts'
import { goJson, goMap } from '../core/go-json.ts'
import {
  formatApiVersion,
  parseApiVersion,
  parseDeprecationMode,
  parseExperimentalMode,
  readApiVersion,
} from './api-version.ts'
import { parseBoolean } from './environment.ts'
import { parseAnalyzed, writeAnalyzed } from './files/analyzed.ts'
import { parseBuild, writeBuild } from './files/build.ts'
import { parseBuildPlan, writeBuildPlan } from './files/build-plan.ts'
import {
  parseBuildpackDescriptor,
  parseExtensionDescriptor,
  writeBuildpackDescriptor,
  writeExtensionDescriptor,
} from './files/buildpack.ts'
import { parseBuildpackPlan, writeBuildpackPlan } from './files/buildpack-plan.ts'
import { parseExecDOutput } from './files/exec-d.ts'
import { parseExtendConfig, writeExtendConfig } from './files/extend-config.ts'
import { parseGroup, writeGroup } from './files/group.ts'
import { parseLaunch } from './files/launch.ts'
import { parseLayerContent, writeLayerContent } from './files/layer.ts'
import { parseLifecycleDescriptor, writeLifecycleDescriptor } from './files/lifecycle-descriptor.ts'
import { type BuildMetadata, parseBuildMetadata, writeBuildMetadata } from './files/metadata.ts'
import { parseOrder, writeOrder } from './files/order.ts'
import { parsePlan, writePlan } from './files/plan.ts'
import { parseProjectMetadata, writeProjectMetadata } from './files/project-metadata.ts'
import { parseReport, writeReport } from './files/report.ts'
import { parseRun, parseStack, writeRun, writeStack } from './files/run.ts'
import type { FileSource } from './files/source.ts'
import { parseStore, writeStore } from './files/store.ts'
import { parseSystem, writeSystem } from './files/system.ts'
import { parseJson } from './json.ts'
import { parseBuildLabel } from './labels/build-metadata.ts'
import { parseBuilderMetadata, writeBuilderMetadata } from './labels/builder-metadata.ts'
import { parseModuleLayers, writeModuleLayers } from './labels/buildpack-layers.ts'
import { parseBuildpackageMetadata, writeBuildpackageMetadata } from './labels/buildpackage-metadata.ts'
import { parseCacheMetadata, writeCacheMetadata } from './labels/cache-metadata.ts'
import { parseLifecycleApis, writeLifecycleApis } from './labels/lifecycle-apis.ts'
import { parseLifecycleMetadata, writeLifecycleMetadata } from './labels/lifecycle-metadata.ts'
import { parseOrderLabel, parseSystemLabel, writeOrderLabel, writeSystemLabel } from './labels/order.ts'
import { parseProjectLabel, writeProjectLabel } from './labels/project-metadata.ts'
import { parseBuildpackId } from './names.ts'
import { parseSbomFileName, SBOM_FORMATS } from './sbom.ts'
import { parseToml } from './toml/parse.ts'
import { tomlDocuments } from './toml/testing.ts'
import { isTable, type TomlTable, type TomlValue, tomlTable } from './toml/value.ts'
import { writeToml } from './toml/write.ts'

const platformApi = parseApiVersion('0.15')
const source: FileSource = { file: 'x' }
const writeMetadata = (metadata: BuildMetadata) => writeBuildMetadata(metadata, { platformApi })

interface Format {
  readonly parse: (text: string) => unknown
  readonly write?: (data: never) => string
}

/** `parse` with its source given, and `write` where there is one. */
function format<T>(parse: (text: string, source: FileSource) => T, write?: (data: T) => string): Format {
  return { parse: (text) => parse(text, source), ...(write === undefined ? {} : { write }) }
}

const launch = (api: string) =>
  format((text) =>
    parseLaunch(text, { file: 'x', buildpackApi: parseApiVersion(api), buildpackId: parseBuildpackId('a') }),
  )

const TOML: Readonly<Record<string, Format>> = {
  analyzed: format(parseAnalyzed, writeAnalyzed),
  group: format(parseGroup, writeGroup),
  plan: format(parsePlan, writePlan),
  'buildpack plan': format(parseBuildpackPlan, writeBuildpackPlan),
  'build plan': format(parseBuildPlan, writeBuildPlan),
  order: format(parseOrder, writeOrder),
  system: format(parseSystem, writeSystem),
  // Writing sorts the processes and leaves out what the API does not have.
  metadata: format(
    (text, from) => parseBuildMetadata(writeMetadata(parseBuildMetadata(text, from)), from),
    writeMetadata,
  ),
  run: format(parseRun, writeRun),
  stack: format(parseStack, writeStack),
  project: format(parseProjectMetadata, writeProjectMetadata),
  report: format(parseReport, writeReport),
  'launch 0.8': launch('0.8'),
  'launch 0.12': launch('0.12'),
  build: format(parseBuild),
  'build, unmet': format((text, from) => ({ unmet: parseBuild(text, from).unmet, bom: [] }), writeBuild),
  store: format(parseStore, writeStore),
  layer: format(parseLayerContent, writeLayerContent),
  buildpack: format(parseBuildpackDescriptor, writeBuildpackDescriptor),
  extension: format(parseExtensionDescriptor, writeExtensionDescriptor),
  'extend-config': format(parseExtendConfig, writeExtendConfig),
  lifecycle: format(parseLifecycleDescriptor, writeLifecycleDescriptor),
  'exec.d': format(parseExecDOutput),
}

const JSON_LABELS: Readonly<Record<string, Format>> = {
  lifecycle: format(parseLifecycleMetadata, writeLifecycleMetadata),
  cache: format(parseCacheMetadata, writeCacheMetadata),
  build: format(parseBuildLabel),
  project: format(parseProjectLabel, writeProjectLabel),
  builder: format(parseBuilderMetadata, writeBuilderMetadata),
  layers: format(parseModuleLayers, writeModuleLayers),
  order: format(parseOrderLabel, writeOrderLabel),
  system: format(parseSystemLabel, writeSystemLabel),
  buildpackage: format(parseBuildpackageMetadata, writeBuildpackageMetadata),
  apis: format(parseLifecycleApis, writeLifecycleApis),
}

/** Files of the reference, and some more: what mutations start from. */
const folder = new URL('fixtures/reference/', import.meta.url)
const recorded = readdirSync(folder).filter((name) => name.endsWith('.toml'))
const EXAMPLES: readonly TomlTable[] = [
  ...recorded.map((name) => parseToml(readFileSync(new URL(name, folder), 'utf8'), { file: name })),
  ...[
    '[[order]]\n[[order.group]]\nid="a"\nversion="1"\noptional=true\nexec-env=["x"]\n[[order-extensions]]\n[[order-extensions.group]]\nid="a"\nversion="1"',
    '[system.pre]\n[[system.pre.buildpacks]]\nid="a"\nversion="1"',
    '[[provides]]\nname="a"\n[[requires]]\nname="a"\n[[or]]\n[[or.provides]]\nname="b"',
    'api="0.12"\n[buildpack]\nid="a"\nversion="1"\n[[targets]]\nos="linux"\n[[targets.distros]]\nname="u"\n[extension]\nid="a"\nversion="1"',
    '[[processes]]\ntype="w"\ncommand=["x"]\nargs=[]\ndefault=true\n[[unmet]]\nname="a"',
    '[[build.args]]\nname="a"\nvalue="b"\n[types]\nlaunch=true\n[apis.platform]\nsupported=["0.7"]',
  ].map((text) => parseToml(text, { file: 'example' })),
]

/** A document of the spec in which one value after another was replaced or taken out. */
const mutated: fc.Arbitrary<TomlTable> = fc
  .tuple(
    fc.constantFrom(...EXAMPLES),
    fc.array(fc.tuple(fc.nat(), fc.option(tomlDocuments())), { maxLength: 3 }),
  )
  .map(([document, changes]) => changes.reduce((at, [index, to]) => replaced(at, index, to), document))

function replaced(document: TomlTable, index: number, document2: TomlTable | null): TomlTable {
  const count = { left: index % Math.max(1, size(document)) }
  const replacement = document2 === null ? undefined : (Object.values(document2)[0] ?? 1n)
  const change = (value: TomlValue): TomlValue | undefined => {
    if (count.left-- === 0) return replacement
    if (Array.isArray(value)) return value.map(change).filter((item) => item !== undefined)
    if (!isTable(value)) return value
    const entries = Object.entries(value).map(([key, inner]) => [key, change(inner)] as const)
    return tomlTable(entries.filter((entry): entry is readonly [string, TomlValue] => entry[1] !== undefined))
  }
  const result = change(document)
  return isTable(result) ? result : document
}

function size(value: TomlValue): number {
  const inner = Array.isArray(value) ? value : isTable(value) ? Object.values(value) : []
  return inner.reduce((sum: number, item) => sum + size(item), 1)
}

function check(formats: Readonly<Record<string, Format>>, text: string): void {
  for (const [name, { parse, write }] of Object.entries(formats)) {
    let data: unknown
    try {
      data = parse(text)
    } catch (error) {
      expect(error, name).toBeInstanceOf(SlipwayError)
      continue
    }
    if (write === undefined) continue
    expect(parse(write(data as never)), name).toEqual(data)
  }
}

describe('TOML files', () => {
  test('documents of any shape', () => {
    fc.assert(
      fc.property(tomlDocuments(), (document) => check(TOML, writeToml(document))),
      { numRuns: 100 },
    )
  })

  test('documents that are nearly right', () => {
    fc.assert(
      fc.property(mutated, (document) => check(TOML, writeToml(document))),
      { numRuns: 300 },
    )
  })
})

const labels = readdirSync(folder).filter((name) => name.endsWith('.json'))

describe('JSON labels', () => {
  test('arbitrary JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => check(JSON_LABELS, text)),
      { numRuns: 300 },
    )
  })

  test('arbitrary text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => check(JSON_LABELS, text)))
  })

  test('labels in which one value is another', () => {
    fc.assert(
      fc.property(fc.constantFrom(...labels), fc.nat(), fc.jsonValue(), (name, index, replacement) => {
        let left = index % 60
        const original = JSON.parse(readFileSync(new URL(name, folder), 'utf8'))
        const text = JSON.stringify(original, (_, value) => (left-- === 0 ? replacement : value))
        check(JSON_LABELS, text)
      }),
      { numRuns: 300 },
    )
  })

  test('JSON survives reading and writing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const again = goJson(goMap(parseJson(JSON.stringify(value), source)))
        expect(JSON.parse(again)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})

describe('words', () => {
  test('a version is read as it is written, and any other text is none', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), fc.nat(2 ** 31), (major, minor) => {
        const text = `${major}.${minor}`
        expect(formatApiVersion(parseApiVersion(text))).toBe(text)
      }),
    )
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^v?[0-9.]*$/)), (text) => {
        const isVersion = /^v?\d+\.?\d*$/.test(text)
        expect(readApiVersion(text) !== undefined).toBe(isVersion)
      }),
    )
  })

  test('a mode or a boolean is one of a few words', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.constantFrom('T', 'false', 'quiet', 'silent', 'error')),
        (text) => {
          for (const parse of [parseDeprecationMode, parseExperimentalMode]) {
            expect(['error', 'warn', 'quiet']).toContain(parse(text))
          }
          const isBoolean = [
            '1',
            't',
            'T',
            'TRUE',
            'true',
            'True',
            '0',
            'f',
            'F',
            'FALSE',
            'false',
            'False',
          ].includes(text)
          expect(parseBoolean(text) !== undefined).toBe(isBoolean)
        },
      ),
    )
  })

  test('the name of an SBOM is read as it is written', () => {
    const name = fc.stringMatching(/^[a-z.]{0,8}$/)
    fc.assert(
      fc.property(name, fc.constantFrom(...SBOM_FORMATS), (subject, format) => {
        expect(parseSbomFileName(`${subject}.${format.fileName}`)).toEqual({ subject, format })
      }),
    )
  })
})
