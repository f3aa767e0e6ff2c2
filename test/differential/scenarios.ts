import { mkdirSync, rmSync } from 'node:fs'
import { EVERYTHING } from './everything.ts'
import { ADDING, extend, FAILING_EXTENSIONS, SWITCHING, tellRegistry } from './extensions.ts'
import { putRunLayout } from './layouts.ts'
import { REBASES } from './rebase-scenarios.ts'
import { RESTORES } from './restore-scenarios.ts'
import { FAILING, NO_PROCESS, ONE, REUSING, SLICES, TAKEN_BACK } from './small-worlds.ts'
import { build, create, minor, type Scenario, type Step } from './steps.ts'
import type { World } from './world.ts'

/** The layers directory of the next build is a new one, as in a new container; image and cache are what stays. */
const newLayers: Step = {
  edit: (place) => {
    rmSync(place.path('layers'), { recursive: true })
    mkdirSync(place.path('layers'))
  },
}

/** As on a machine where the name of the run image leads nowhere and its mirror is beside the app. */
const mirrors: Step = {
  edit: (place, { host }) =>
    place.write(
      'run.toml',
      `[[images]]\nimage = "127.0.0.1:1/run:base"\nmirrors = ["127.0.0.1:2/run:base", "${host}/run:base"]\n`,
    ),
}

const registryTold: Step = { edit: (place, { host }) => tellRegistry(place, host) }

/** What an extender would leave. */
const extending: Step = { edit: (place, { host }) => extend(place, host) }

const runLayout: Step = { edit: (place) => putRunLayout(place.path('images')) }

const change = (path: string, text: string): Step => ({ edit: (place) => place.write(path, text) })

const PLATFORM_APIS = ['0.7', '0.8', '0.9', '0.10', '0.11', '0.12', '0.13', '0.14', '0.15']

const latest = (name: string, world: World, steps: readonly Step[]): Scenario => ({
  name,
  platformApi: '0.15',
  world,
  steps,
})

export const SCENARIOS: readonly Scenario[] = [
  ...PLATFORM_APIS.map((platformApi) => ({
    name: `everything-${platformApi}`,
    platformApi,
    world: EVERYTHING,
    steps: build(platformApi),
  })),
  {
    ...latest('on-an-oci-image', ONE, build('0.15')),
    runImage: 'oci',
  },
  latest('nothing-changed', EVERYTHING, [
    ...build('0.15'),
    newLayers,
    ...build('0.15', { tags: ['again'], previous: 'app' }),
  ]),
  ...['0.7', '0.12', '0.15'].map((platformApi) => ({
    name: `second-build-${platformApi}`,
    platformApi,
    world: REUSING,
    steps: [...build(platformApi), newLayers, change('app/changed.txt', 'now this\n'), ...build(platformApi)],
  })),
  ...['0.12', '0.15'].flatMap((platformApi) => [
    {
      name: `second-build-cache-image-${platformApi}`,
      platformApi,
      world: REUSING,
      steps: [
        ...build(platformApi, { cacheImage: 'cache:kept' }),
        newLayers,
        change('app/changed.txt', 'now this\n'),
        ...build(platformApi, { cacheImage: 'cache:kept' }),
      ],
    },
    {
      name: `second-build-layout-${platformApi}`,
      platformApi,
      world: REUSING,
      steps: [
        runLayout,
        create(platformApi, { layout: true }),
        newLayers,
        change('app/changed.txt', 'now this\n'),
        create(platformApi, { layout: true }),
      ],
    },
  ]),
  latest('cache-image-empty', NO_PROCESS, build('0.15', { cacheImage: 'cache' })),
  latest('layout-cache-image', ONE, [runLayout, create('0.15', { layout: true, cacheImage: 'cache' })]),
  latest('no-cache', REUSING, build('0.15', { cacheImage: null })),
  latest('slices', SLICES, build('0.15')),
  latest('run-image-mirror', ONE, [mirrors, ...build('0.15', { runFromFile: true })]),
  ...['0.7', '0.12', '0.15'].map((platformApi) => ({
    name: `creator-${platformApi}`,
    platformApi,
    world: REUSING,
    steps: [
      create(platformApi),
      newLayers,
      create(platformApi, { tags: ['app', 'app:second', 'other:third'] }),
    ],
  })),
  latest('several-tags', ONE, build('0.15', { tags: ['app', 'app:second', 'other:third'] })),
  latest('process-type', ONE, build('0.15', { processType: 'worker' })),
  latest('process-type-unknown', ONE, build('0.15', { processType: 'nobody' })),
  latest('no-process', NO_PROCESS, build('0.15')),
  latest('default-taken-back', TAKEN_BACK, build('0.15')),
  latest('source-date-epoch', ONE, build('0.15', { env: { SOURCE_DATE_EPOCH: '1700000000' } })),
  latest('source-date-epoch-invalid', ONE, build('0.15', { env: { SOURCE_DATE_EPOCH: 'yesterday' } })),
  latest(
    'export-without-build',
    ONE,
    build('0.15').filter((step) => !('phase' in step && step.phase === 'builder')),
  ),
  ...REBASES,
  ...RESTORES,
  ...Object.entries(FAILING).map(([name, world]) => latest(name, world, build('0.15'))),
  ...['0.10', '0.12', '0.13', '0.15'].map((platformApi) => ({
    name: `extensions-${platformApi}`,
    platformApi,
    world: SWITCHING,
    steps: [
      registryTold,
      ...build(platformApi, { env: minor(platformApi) < 13 ? { CNB_EXPERIMENTAL_MODE: 'warn' } : {} }),
    ],
  })),
  ...['0.12', '0.15'].map((platformApi) => ({
    name: `extended-${platformApi}`,
    platformApi,
    world: ADDING,
    // The restorer would write to /kaniko: that is not a place for tests.
    steps: build(platformApi, { env: { CNB_EXPERIMENTAL_MODE: 'quiet' } }).map((step) =>
      'phase' in step && step.phase === 'restorer' ? extending : step,
    ),
  })),
  ...['unset', 'error'].map((mode) => ({
    name: `extensions-experimental-${mode}`,
    platformApi: '0.12',
    world: ADDING,
    steps: build('0.12', { env: mode === 'unset' ? {} : { CNB_EXPERIMENTAL_MODE: mode } }),
  })),
  latest('creator-with-extensions', ADDING, [create('0.15')]),
  ...Object.entries(FAILING_EXTENSIONS).map(([name, world]) => latest(name, world, build('0.15'))),
]
