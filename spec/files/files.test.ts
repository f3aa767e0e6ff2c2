import { describe, expect, test } from 'vitest'
import { parseApiVersion } from '../api-version.ts'
import { parseBuildpackId } from '../names.ts'
import { parseAnalyzed } from './analyzed.ts'
import { parseBuild, writeBuild } from './build.ts'
import { hasRequires, parseBuildPlan, writeBuildPlan } from './build-plan.ts'
import {
  parseBuildpackDescriptor,
  parseExtensionDescriptor,
  supportsExecEnv,
  writeBuildpackDescriptor,
  writeExtensionDescriptor,
} from './buildpack.ts'
import { parseExecDOutput } from './exec-d.ts'
import { parseExtendConfig, writeExtendConfig } from './extend-config.ts'
import { parseGroup } from './group.ts'
import { parseLaunch, writeLaunch } from './launch.ts'
import { parseLayerContent, writeLayerContent } from './layer.ts'
import { LIFECYCLE_APIS, parseLifecycleDescriptor, writeLifecycleDescriptor } from './lifecycle-descriptor.ts'
import { parseBuildMetadata } from './metadata.ts'
import { parseOrder, writeOrder } from './order.ts'
import { parseProjectMetadata, writeProjectMetadata } from './project-metadata.ts'
import { parseSystem, writeSystem } from './system.ts'

const source = { file: '/layers/x.toml' }
const invalid = (message: string | RegExp) =>
  expect.objectContaining({
    code: 'SPEC_FILE_INVALID',
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  })

describe('errors say where and what', () => {
  test.each([
    ['group = 1', '/layers/x.toml: group: expected an array of tables, found an integer'],
    ['[[group]]\nid = "a"', '/layers/x.toml: group[0].version: expected a string, found nothing'],
    ['[[group]]\nid = 1.5\nversion = "1"', '/layers/x.toml: group[0].id: expected a string, found a float'],
    ['[[group]]\nid = "../x y"\nversion = "1"', '/layers/x.toml: group[0].id: invalid buildpack ID "../x y"'],
    [
      '[[group]]\nid = "a"\nversion = ".."',
      '/layers/x.toml: group[0].version: invalid buildpack version ".."',
    ],
    [
      '[["group-extensions"]]\nid = []',
      '/layers/x.toml: group-extensions[0].id: expected a string, found an array',
    ],
  ])('%j', (text, message) => {
    expect(() => parseGroup(text, source)).toThrow(invalid(message))
  })
})

test('unknown keys are tolerated', () => {
  expect(parseGroup('future = 1\n[[group]]\nid = "a"\nversion = "1"\nnew = {}', source)).toEqual({
    group: [{ id: 'a', version: '1', api: '', homepage: '' }],
    groupExtensions: [],
  })
})

describe('order.toml', () => {
  const text = `[[order]]

  [[order.group]]
    id = "a/b"
    version = "1"

  [[order.group]]
    id = "c"
    version = "2"
    optional = true
    exec-env = ["test"]

[[order-extensions]]

  [[order-extensions.group]]
    id = "e"
    version = "3"
`

  test('extensions are always optional', () => {
    const order = parseOrder(text, source)
    expect(order.order[0]?.group.map(({ optional }) => optional)).toEqual([false, true])
    expect(order.orderExtensions[0]?.group).toEqual([{ id: 'e', version: '3', optional: true }])
    expect(writeOrder(order)).toBe(text)
  })
})

test('system.toml', () => {
  const text = `[system]
  [system.pre]

    [[system.pre.buildpacks]]
      id = "a"
      version = "1"
      optional = true
`
  expect(parseSystem(text, source)).toEqual({ pre: [{ id: 'a', version: '1', optional: true }], post: [] })
  expect(writeSystem(parseSystem(text, source))).toBe(text)
  expect(parseSystem('', source)).toEqual({ pre: [], post: [] })
})

describe('the build plan', () => {
  const text = `[[provides]]
  name = "node"

[[requires]]
  name = "node"
  [requires.metadata]
    version = "20"

[[or]]

  [[or.provides]]
    name = "x"
`

  test('has alternatives', () => {
    const plan = parseBuildPlan(text, source)
    expect(plan.or).toEqual([{ provides: [{ name: 'x' }], requires: [] }])
    expect(hasRequires(plan)).toBe(true)
    expect(hasRequires({ ...plan, requires: [] })).toBe(false)
    expect(writeBuildPlan(plan)).toBe(text)
  })

  test('a version at the top of a require is an error for every API', () => {
    expect(() => parseBuildPlan('[[or]]\n[[or.requires]]\nname = "a"\nversion = "1"', source)).toThrow(
      invalid(/or\[0\]\.requires\[0\]\.version: top level version is not allowed/),
    )
  })
})

describe('launch.toml', () => {
  const parse = (text: string, api: string) =>
    parseLaunch(text, { ...source, buildpackApi: parseApiVersion(api), buildpackId: parseBuildpackId('a/b') })

  test('before 0.9 a command is a string and direct defaults to false', () => {
    const { processes } = parse('[[processes]]\ntype = "web"\ncommand = "npm start"\nargs = ["x"]', '0.8')
    expect(processes).toEqual([
      { type: 'web', command: ['npm start'], args: ['x'], direct: false, default: false, buildpackId: 'a/b' },
    ])
    expect(() => parse('[[processes]]\ntype = "web"\ncommand = ["npm"]', '0.8')).toThrow(
      invalid(/command: expected a string/),
    )
  })

  test('from 0.9 on it is an array and always direct', () => {
    const { processes } = parse(
      '[[processes]]\ntype = "web"\ncommand = ["npm", "start"]\ndefault = true\nworking-dir = "/w"\nexec-env = ["test"]',
      '0.12',
    )
    expect(processes).toEqual([
      {
        type: 'web',
        command: ['npm', 'start'],
        direct: true,
        default: true,
        buildpackId: 'a/b',
        workingDirectory: '/w',
        execEnv: ['test'],
      },
    ])
    expect(() => parse('[[processes]]\ntype = "web"\ncommand = "npm"', '0.9')).toThrow(
      invalid(/command: expected an array of strings/),
    )
    expect(() => parse('[[processes]]\ntype = "web"', '0.9')).toThrow(invalid(/command: expected an array/))
    expect(() => parse('[[processes]]\ntype = "web"\ncommand = ["x"]\ndirect = true', '0.9')).toThrow(
      invalid(/direct: process\.direct is not supported/),
    )
  })

  test('the working directory is ignored before 0.8, with a warning', () => {
    const launch = parse('[[processes]]\ntype = "web"\ncommand = "x"\nworking-dir = "/w"', '0.7')
    expect(launch.processes[0]).not.toHaveProperty('workingDirectory')
    expect(launch.warnings).toEqual([expect.stringMatching(/Ignoring working directory for process 'web'/)])
  })

  test('two defaults are an error, also of one type', () => {
    const twice = '[[processes]]\ntype = "web"\ncommand = ["x"]\ndefault = true\n'.repeat(2)
    expect(() => parse(twice, '0.9')).toThrow(invalid(/multiple default process types aren't allowed/))
  })

  test('a bill of materials must not have versions', () => {
    expect(() => parse('[[bom]]\nname = "a"\nversion = "1"', '0.9')).toThrow(invalid(/bom entry 'a'/))
  })

  test('what the SDK writes is read back', () => {
    const launch = {
      processes: [
        {
          type: 'web',
          command: ['a'],
          args: [],
          direct: true,
          default: true,
          buildpackId: 'a/b',
          execEnv: ['*'],
        },
        {
          type: 'x',
          command: ['b'],
          direct: true,
          default: false,
          buildpackId: 'a/b',
          workingDirectory: '/w',
        },
      ],
      labels: [{ key: 'k', value: 'v' }],
      slices: [{ paths: ['*.js'] }],
    }
    expect(parse(writeLaunch(launch), '0.12')).toEqual({ ...launch, bom: [], warnings: [] })
  })
})

describe('<layer>.toml', () => {
  test('without types all flags are false', () => {
    expect(parseLayerContent('', source)).toEqual({ launch: false, build: false, cache: false })
  })

  test.each(['launch', 'build', 'cache'])('%s outside of the types table is an error', (flag) => {
    expect(() => parseLayerContent(`${flag} = true`, source)).toThrow(
      invalid(/flags should be in the types table of \/layers\/x\.toml/),
    )
  })

  test('types and metadata are written', () => {
    const content = { launch: true, build: false, cache: true, metadata: { n: 1n } }
    expect(parseLayerContent(writeLayerContent(content), source)).toEqual(content)
  })
})

test('metadata.toml has commands of both forms', () => {
  const text = '[[processes]]\ntype = "a"\ncommand = "x y"\n[[processes]]\ntype = "b"\ncommand = ["x", "y"]'
  expect(parseBuildMetadata(text, source).processes.map(({ command }) => command)).toEqual([
    ['x y'],
    ['x', 'y'],
  ])
})

test('analyzed.toml may say variant or arch-variant', () => {
  for (const key of ['variant', 'arch-variant']) {
    const { runImage } = parseAnalyzed(
      `[run-image.target]\nos = "linux"\narch = "arm64"\n${key} = "v8"`,
      source,
    )
    expect(runImage?.target).toEqual({ os: 'linux', arch: 'arm64', archVariant: 'v8' })
  }
})

describe('buildpack.toml', () => {
  test('is read and written', () => {
    const text = `
api = "0.12"
[buildpack]
id = "a/b"
version = "1.2.3"
name = "N"
homepage = "h"
clear-env = true
description = "d"
keywords = ["k"]
sbom-formats = ["application/vnd.cyclonedx+json"]
exec-env = ["test"]
[[buildpack.licenses]]
type = "MIT"
[[order]]
[[order.group]]
id = "c"
version = "1"
optional = true
[[targets]]
os = "linux"
variant = "v8"
[[targets.distros]]
name = "ubuntu"
version = "24.04"
[[stacks]]
id = "*"
mixins = ["m"]
[metadata]
n = 1
`
    const descriptor = parseBuildpackDescriptor(text, source)
    expect(descriptor).toMatchObject({
      api: '0.12',
      buildpack: { id: 'a/b', clearEnv: true, execEnv: ['test'], licenses: [{ type: 'MIT', uri: '' }] },
      order: [{ group: [{ id: 'c', version: '1', optional: true }] }],
      targets: [
        { os: 'linux', arch: '', archVariant: 'v8', distros: [{ name: 'ubuntu', version: '24.04' }] },
      ],
      stacks: [{ id: '*', mixins: ['m'] }],
      metadata: { n: 1n },
    })
    expect(parseBuildpackDescriptor(writeBuildpackDescriptor(descriptor), source)).toEqual(descriptor)
  })

  test('execution environments as the spec writes them', () => {
    const text = 'api = "0.12"\n[buildpack]\nid = "a"\nversion = "1"\n[[buildpack.exec-env]]\nname = "test"'
    expect(parseBuildpackDescriptor(text, source).buildpack.execEnv).toEqual(['test'])
  })

  test('needs its table', () => {
    expect(() => parseBuildpackDescriptor('api = "0.10"', source)).toThrow(
      invalid(/buildpack: expected a table/),
    )
  })

  test('execution environments count from API 0.12 on', () => {
    const { buildpack } = parseBuildpackDescriptor(
      'api = "0.12"\n[buildpack]\nid = "a"\nversion = "1"\nexec-env = ["test"]',
      source,
    )
    expect(supportsExecEnv('0.12', buildpack, 'test')).toBe(true)
    expect(supportsExecEnv('0.12', buildpack, 'production')).toBe(false)
    expect(supportsExecEnv('0.11', buildpack, 'production')).toBe(true)
    expect(supportsExecEnv('0.12', { ...buildpack, execEnv: ['*'] }, 'production')).toBe(true)
    expect(supportsExecEnv('0.12', { ...buildpack, execEnv: [] }, 'production')).toBe(true)
  })
})

test('extension.toml', () => {
  const text = 'api = "0.10"\n[extension]\nid = "e"\nversion = "1"\n[[targets]]\narch-variant = "v8"'
  const descriptor = parseExtensionDescriptor(text, source)
  expect(descriptor).toMatchObject({
    extension: { id: 'e', clearEnv: false },
    targets: [{ archVariant: 'v8' }],
  })
  expect(parseExtensionDescriptor(writeExtensionDescriptor(descriptor), source)).toEqual(descriptor)
})

test('extend-config.toml', () => {
  const config = { build: [{ name: 'a', value: '1' }], run: [{ name: 'b', value: '' }] }
  expect(parseExtendConfig(writeExtendConfig(config), source)).toEqual(config)
  expect(() => parseExtendConfig('[[run.args]]\nname = "user_id"', source)).toThrow(invalid(/user_id/))
})

test('build.toml', () => {
  expect(parseBuild(writeBuild({ unmet: ['a'] }), source)).toEqual({ unmet: ['a'], bom: [] })
  expect(writeBuild({ unmet: [] })).toBe('')
})

test('project-metadata.toml', () => {
  const project = { source: { type: 'git', version: { commit: 'c' }, metadata: { n: 1n } } }
  expect(parseProjectMetadata(writeProjectMetadata(project), source)).toEqual(project)
  expect(parseProjectMetadata('', source)).toEqual({})
})

test('lifecycle.toml', () => {
  const descriptor = { version: '1.2.3', sbomFormats: ['application/spdx+json'], apis: LIFECYCLE_APIS }
  const text = writeLifecycleDescriptor(descriptor)
  expect(parseLifecycleDescriptor(text, source)).toEqual(descriptor)
  expect(text).toContain('[apis]\n  [apis.buildpack]\n    deprecated = []\n    supported = ["0.7"')
  expect(text).toContain('[api]\n  platform = "0.7"\n  buildpack = "0.7"\n')
})

describe('the output of exec.d', () => {
  test('is variables in their order', () => {
    expect([...parseExecDOutput('B = "1"\nA = """x\ny"""', source)]).toEqual([
      ['B', '1'],
      ['A', 'x\ny'],
    ])
  })

  test('values are strings', () => {
    expect(() => parseExecDOutput('A = 1', source)).toThrow(invalid(/A: expected a string, found an integer/))
  })
})
