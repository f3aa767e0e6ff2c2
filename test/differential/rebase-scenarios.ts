import type { TestPlace } from '../../lifecycle/commands/testing/lifecycle.ts'
import { putRunImage, type RunImage } from './run-image.ts'
import { ONE } from './small-worlds.ts'
import { as, build, type Scenario, type Step } from './steps.ts'

interface RebaseOptions {
  readonly tags?: readonly string[]
  readonly flags?: (registry: string) => readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const rebase = ({ tags = ['app'], flags = () => [], env = {} }: RebaseOptions = {}): Step => ({
  phase: 'rebaser',
  env,
  args: (place: TestPlace, registry) => [
    ...[...as, '-report', place.path('layers/rebased.toml')],
    ...flags(registry),
    ...tags.map((tag) => `${registry}/${tag}`),
  ],
})

/** The run image's name gets another image. */
const next = (image: RunImage = {}): Step => ({
  edit: async (_, server) => void (await putRunImage(server, { seed: 2, ...image })),
})

/** The run image's name leads somewhere, as the app's label will tell. */
const known: Step = {
  edit: (place, { host }) => {
    place.write('run.toml', `[[images]]\nimage = "${host}/run:base"\n`)
    place.write('stack.toml', `[run-image]\nimage = "${host}/run:base"\n`)
  },
}

const scenario = (name: string, platformApi: string, ...steps: readonly Step[]): Scenario => ({
  name: `rebase-${name}`,
  platformApi,
  world: ONE,
  steps: [known, ...build(platformApi), ...steps],
})

const force = { flags: () => ['-force'] }
const elsewhere = (registry: string) => ['-run-image', `${registry}/run:elsewhere`]
const otherVersion = { labels: { 'io.buildpacks.base.distro.version': '14' } }
const otherPlatform = { platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } }
const otherStack = { labels: { 'io.buildpacks.stack.id': 'another', 'io.buildpacks.base.id': 'new' } }
const noDistro = {
  labels: { 'io.buildpacks.base.distro.name': undefined, 'io.buildpacks.base.distro.version': undefined },
}

/** An app image is put on another run image. */
export const REBASES: readonly Scenario[] = [
  ...['0.7', '0.11', '0.12', '0.15'].map((api) => scenario(api, api, next(), rebase())),
  scenario('twice', '0.15', next(), rebase(), next({ seed: 3 }), rebase()),
  scenario('to-the-same', '0.15', rebase()),
  scenario('several-tags', '0.15', next(), rebase({ tags: ['app', 'app:second', 'other:third'] })),
  scenario(
    'previous-image',
    '0.15',
    next(),
    rebase({ tags: ['fresh:tag'], flags: (registry) => ['-previous-image', `${registry}/app`] }),
  ),
  scenario('run-image-elsewhere', '0.15', next({ tag: 'elsewhere' }), rebase({ flags: elsewhere })),
  scenario(
    'run-image-elsewhere-forced',
    '0.15',
    next({ tag: 'elsewhere' }),
    rebase({ flags: (registry) => ['-force', ...elsewhere(registry)] }),
  ),
  scenario('run-image-elsewhere-0.11', '0.11', next({ tag: 'elsewhere' }), rebase({ flags: elsewhere })),
  scenario('other-version', '0.15', next(otherVersion), rebase()),
  scenario('other-version-forced', '0.15', next(otherVersion), rebase(force)),
  scenario('other-platform', '0.15', next(otherPlatform), rebase()),
  scenario('other-platform-forced', '0.15', next(otherPlatform), rebase(force)),
  scenario('no-distro', '0.15', next(noDistro), rebase()),
  scenario('other-stack-0.7', '0.7', next(otherStack), rebase()),
  scenario('other-stack', '0.15', next(otherStack), rebase()),
  scenario('oci', '0.15', next({ mediaTypes: 'oci' }), rebase()),
  scenario('missing-image', '0.15', rebase({ tags: ['nobody'] })),
  scenario(
    'missing-run-image',
    '0.15',
    rebase({ flags: (registry) => ['-run-image', `${registry}/run:none`] }),
  ),
  {
    name: 'rebase-run-image-out-of-reach',
    platformApi: '0.15',
    world: ONE,
    steps: [...build('0.15'), next(), rebase()],
  },
  scenario('both-run-images', '0.15', rebase({ flags: () => ['-run-image', 'a', '-image', 'b'] })),
  scenario('no-arguments', '0.15', rebase({ tags: [] })),
  scenario('epoch', '0.15', next(), rebase({ env: { SOURCE_DATE_EPOCH: '1700000000' } })),
  scenario('of-a-run-image', '0.15', rebase({ tags: ['run:base'] })),
]
