import { describe, expect, test } from 'vitest'
import { LIFECYCLE_APIS } from '../files/lifecycle-descriptor.ts'
import { parseBuildpackId, parseLayerName } from '../names.ts'
import { parseBuilderMetadata, writeBuilderMetadata } from './builder-metadata.ts'
import { parseModuleLayers, writeModuleLayers } from './buildpack-layers.ts'
import { parseBuildpackageMetadata, writeBuildpackageMetadata } from './buildpackage-metadata.ts'
import { parseLifecycleApis, writeLifecycleApis } from './lifecycle-apis.ts'
import {
  EMPTY_LIFECYCLE_METADATA,
  layersOf,
  parseLifecycleMetadata,
  writeLifecycleMetadata,
} from './lifecycle-metadata.ts'
import { parseOrderLabel, parseSystemLabel, writeOrderLabel, writeSystemLabel } from './order.ts'

const source = { file: 'label' }

describe('io.buildpacks.lifecycle.metadata', () => {
  test('`app` of an old shape survives a rebase', () => {
    const metadata = parseLifecycleMetadata('{"app":{"sha":"x","b":1,"a":2}}', source)
    expect(metadata).toMatchObject({ app: [], legacyApp: { sha: 'x', a: 2n, b: 1n } })
    expect(writeLifecycleMetadata(metadata)).toMatch(/^\{"app":\{"a":2,"b":1,"sha":"x"\},/)
  })

  test('a name that could leave its directory makes the label invalid', () => {
    const text = '{"buildpacks":[{"key":"a","version":"1","layers":{"../../etc":{"sha":"x"}}}]}'
    expect(() => parseLifecycleMetadata(text, source)).toThrow(
      expect.objectContaining({
        code: 'SPEC_FILE_INVALID',
        message: 'label: buildpacks[0].layers."../../etc": invalid layer name "../../etc"',
      }),
    )
    expect(() => parseLifecycleMetadata('{"buildpacks":[{"key":"..","version":"1"}]}', source)).toThrow(
      expect.objectContaining({ code: 'SPEC_FILE_INVALID' }),
    )
  })

  test('layers come out sorted by name', () => {
    const layer = { sha: 's', launch: true, build: false, cache: false }
    const names = ['b', 'a', 'B'].map(parseLayerName)
    const id = parseBuildpackId('x')
    const metadata = {
      ...EMPTY_LIFECYCLE_METADATA,
      buildpacks: [{ id, version: '1', layers: new Map(names.map((name) => [name, layer])) }],
    }
    const text = writeLifecycleMetadata(metadata)
    expect(text.match(/"(\w)":\{"sha"/g)).toEqual(['"B":{"sha"', '"a":{"sha"', '"b":{"sha"'])
    expect(layersOf(metadata, id)?.layers.size).toBe(3)
  })

  test('a float that JSON has not cannot be written', () => {
    const layer = { sha: 's', launch: true, build: false, cache: false, metadata: { n: Number.NaN } }
    const layers = new Map([[parseLayerName('a'), layer]])
    const buildpacks = [{ id: parseBuildpackId('x'), version: '1', layers }]
    expect(() => writeLifecycleMetadata({ ...EMPTY_LIFECYCLE_METADATA, buildpacks })).toThrow(
      expect.objectContaining({ code: 'CORE_JSON_UNWRITABLE' }),
    )
  })
})

test('io.buildpacks.builder.metadata', () => {
  const metadata = {
    description: 'd',
    buildpacks: [{ id: parseBuildpackId('a/b'), version: '1', homepage: 'h', name: 'n' }],
    extensions: [],
    stackRunImage: { image: 'run', mirrors: [] },
    lifecycle: { version: '0.1.0', apis: LIFECYCLE_APIS },
    createdBy: { name: 'x', version: '1' },
    images: [{ image: 'run', mirrors: ['m'] }],
  }
  const text = writeBuilderMetadata(metadata)
  expect(parseBuilderMetadata(text, source)).toEqual(metadata)
  expect(text).toMatch(
    /^\{"description":"d","buildpacks":\[\{"id":"a\/b","name":"n","version":"1","homepage":"h"\}\],"extensions":null,"stack":\{"runImage":\{"image":"run","mirrors":null\}\},"lifecycle":\{"version":"0\.1\.0","api":\{"buildpack":"0\.7","platform":"0\.7"\},"apis":/,
  )
})

test('a builder from before the sets of APIs', () => {
  const text = '{"lifecycle":{"version":"0.1","api":{"buildpack":"0.2","platform":"0.1"}}}'
  expect(parseBuilderMetadata(text, source).lifecycle.apis).toEqual({
    buildpack: { deprecated: [], supported: ['0.2'] },
    platform: { deprecated: [], supported: ['0.1'] },
  })
})

test('io.buildpacks.buildpack.layers', () => {
  const text =
    '{"a/b":{"1.0":{"api":"0.10","stacks":[{"id":"*"}],"targets":[{"os":"linux","arch":"amd64","variant":"v8","distros":[{"name":"u","version":"1"}]}],"order":[{"group":[{"id":"c","version":"2","optional":true}]}],"layerDiffID":"sha256:x","homepage":"h","name":"n"}},"c":{"2":{"api":"0.8","layerDiffID":"sha256:x"}}}'
  expect(writeModuleLayers(parseModuleLayers(text, source))).toBe(text)
})

test('io.buildpacks.buildpack.order and system', () => {
  const order = '[{"group":[{"id":"c","version":"2","optional":true},{"id":"d","version":"1"}]}]'
  expect(writeOrderLabel(parseOrderLabel(order, source))).toBe(order)
  const system = '{"pre":{"buildpacks":[{"id":"c","version":"2","optional":true}]},"post":{}}'
  expect(writeSystemLabel(parseSystemLabel(system, source))).toBe(system)
})

test('io.buildpacks.buildpackage.metadata', () => {
  const text =
    '{"id":"a/b","name":"n","version":"1","description":"d","homepage":"h","keywords":["k"],"licenses":[{"type":"MIT","uri":""}],"stacks":[{"id":"*","mixins":["m"]}]}'
  expect(writeBuildpackageMetadata(parseBuildpackageMetadata(text, source))).toBe(text)
})

test('io.buildpacks.lifecycle.apis', () => {
  const text =
    '{"buildpack":{"deprecated":[],"supported":["0.7"]},"platform":{"deprecated":["0.3"],"supported":["0.7"]}}'
  expect(writeLifecycleApis(parseLifecycleApis(text, source))).toBe(text)
})
