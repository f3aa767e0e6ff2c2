import { beforeEach, describe, expect, it } from 'vitest'
import { BASE_LABELS, STACK_LABELS } from './testing/images.ts'
import { APP, type RebaseWorkbench, rebaseWorkbench } from './testing/workbench.ts'

const RUN = 'registry.example/base:run'

let events: RebaseWorkbench['events']
let images: RebaseWorkbench['images']
let run: RebaseWorkbench['run']
beforeEach(() => {
  ;({ events, images, run } = rebaseWorkbench())
})

const warnings = () => events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))

describe('target rules (RB-7)', () => {
  const arm = { os: 'linux', architecture: 'arm64' }
  it.each<[string, object, boolean]>([
    ['another version', { labels: { ...BASE_LABELS, 'io.buildpacks.base.distro.version': '12' } }, false],
    [
      'another distribution',
      { labels: { ...BASE_LABELS, 'io.buildpacks.base.distro.name': 'ubuntu' } },
      false,
    ],
    ['another architecture', { platform: arm }, false],
    ['no distribution', { labels: {} }, true],
    [
      'a variant where the app has none',
      { platform: { os: 'linux', architecture: 'amd64', variant: 'v2' } },
      true,
    ],
  ])('%s', async (_, next, fits) => {
    await images.app(APP, await images.base(RUN))
    await images.base(RUN, { seed: 2, ...next })
    if (fits) {
      await run()
      return
    }
    await expect(run()).rejects.toMatchObject({
      code: 'REBASE_TARGET_MISMATCH',
      exitCode: 72,
      message: expect.stringMatching(
        /^unable to satisfy target os\/arch constraints; new run image: \{.*\}, old run image: \{.*\}; please provide -force to override$/,
      ),
    })
    const before = await images.read(APP)
    const forced = await run({ force: true })
    expect(warnings()).toEqual([expect.stringContaining('unable to satisfy target os/arch constraints')])
    expect(forced.previous.digest).toBe(before.digest)
  })

  it("with force the platform becomes the new base's, its variant too (AMB-28)", async () => {
    await images.app(APP, await images.base(RUN), { config: { variant: 'v3', 'os.version': '1' } })
    await images.base(RUN, { seed: 2, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } })
    const { config } = (await run({ force: true })).image
    expect(config).toMatchObject({ os: 'linux', architecture: 'arm64', variant: 'v8' })
    expect(config).not.toHaveProperty(['os.version'])
  })

  it("without need of force the platform stays the app's", async () => {
    await images.app(APP, await images.base(RUN), { config: { variant: 'v3' } })
    await images.base(RUN, { seed: 2 })
    expect((await run()).image.config.variant).toBe('v3')
  })

  it('an image that says it is not rebasable wants force; one that says nothing does not (AMB-9)', async () => {
    await images.app(APP, await images.base(RUN), { labels: { 'io.buildpacks.rebasable': 'false' } })
    await images.base(RUN, { seed: 2 })
    await expect(run()).rejects.toMatchObject({
      code: 'REBASE_NOT_REBASABLE',
      message: 'app image is not marked as rebasable; please provide -force to override',
    })
    await run({ force: true })
    expect(warnings()).toEqual(['app image is not marked as rebasable'])
  })
})

describe('stack rules, for apps built before Platform API 0.12 (RB-6)', () => {
  it.each<[string, string, object, object, string | undefined]>([
    ['the same stack', '0.11', STACK_LABELS, STACK_LABELS, undefined],
    ['no API', '', STACK_LABELS, STACK_LABELS, undefined],
    [
      'more mixins',
      '0.11',
      STACK_LABELS,
      { ...STACK_LABELS, 'io.buildpacks.stack.mixins': '["curl","run:git","zip"]' },
      undefined,
    ],
    [
      'other targets, which are not looked at',
      '0.11',
      { ...STACK_LABELS, ...BASE_LABELS },
      STACK_LABELS,
      undefined,
    ],
    ['no stack', '0.11', {}, STACK_LABELS, 'stack not defined on working image'],
    ['no stack in the base', '0.11', STACK_LABELS, {}, 'stack not defined on new base image'],
    [
      'another stack',
      '0.11',
      STACK_LABELS,
      { ...STACK_LABELS, 'io.buildpacks.stack.id': 'x' },
      "incompatible stack: 'x' is not compatible with 'test.stack'",
    ],
    [
      'fewer mixins',
      '0.11',
      STACK_LABELS,
      { ...STACK_LABELS, 'io.buildpacks.stack.mixins': '[]' },
      'missing required mixin(s): curl, git',
    ],
    [
      'nonsense',
      '0.11',
      { ...STACK_LABELS, 'io.buildpacks.stack.mixins': '{' },
      STACK_LABELS,
      'is no list of names: {',
    ],
    ['a nonsensical API', 'x', STACK_LABELS, STACK_LABELS, 'CNB_PLATFORM_API=x, which is no version'],
  ])('%s', async (_, platformApi, app, base, message) => {
    await images.app(APP, await images.base(RUN, { labels: app as Record<string, string> }), { platformApi })
    await images.base(RUN, { seed: 2, labels: base as Record<string, string> })
    // Force does not relax them.
    const rebased = run({ force: true })
    if (message === undefined) await rebased
    else
      await expect(rebased).rejects.toMatchObject({ exitCode: 72, message: expect.stringContaining(message) })
  })
})
