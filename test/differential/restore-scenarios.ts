import { readdirSync, rmSync } from 'node:fs'
import type { TestPlace } from '../../lifecycle/commands/testing/lifecycle.ts'
import { REUSING } from './small-worlds.ts'
import { as, build, type Scenario, type Step } from './steps.ts'

/** The buildpacks' layers are gone; what phases tell each other stays. */
const withoutLayers = (place: TestPlace) => {
  const kept = new Set(['analyzed.toml', 'group.toml', 'plan.toml', 'config'])
  for (const name of readdirSync(place.path('layers')))
    if (!kept.has(name)) rmSync(place.path('layers', name), { recursive: true })
}

const restorer = (
  flags: (place: TestPlace) => readonly string[] = (place) => ['-cache-dir', place.path('cache')],
): Step => ({
  phase: 'restorer',
  args: (place) => ['-layers', place.path('layers'), ...as, ...flags(place)],
})

/** The restorer alone, in the layers directory of a build whose analyzer saw the image of the build before. */
const scenario = (name: string, edit: (place: TestPlace) => void, step = restorer()): Scenario => ({
  name: `restorer-${name}`,
  platformApi: '0.15',
  world: REUSING,
  steps: [
    ...build('0.15'),
    ...build('0.15').slice(0, 1),
    {
      edit: (place) => {
        withoutLayers(place)
        edit(place)
      },
    },
    step,
  ],
})

/** One group member less than had layers. */
const withoutFirst = (place: TestPlace) => {
  const [, , ...others] = place.read('layers/group.toml').split(/^\[\[group\]\]$/m)
  place.write('layers/group.toml', others.map((text) => `[[group]]${text}`).join(''))
}

export const RESTORES: readonly Scenario[] = [
  scenario('alone', () => {}),
  scenario('without-analyzed', (place) => rmSync(place.path('layers/analyzed.toml'))),
  scenario('analyzed-is-no-toml', (place) => place.write('layers/analyzed.toml', '= no')),
  scenario('without-group', (place) => rmSync(place.path('layers/group.toml'))),
  scenario('smaller-group', withoutFirst),
  scenario('cache-metadata-is-no-json', (place) =>
    place.write('cache/committed/io.buildpacks.lifecycle.cache.metadata', 'no'),
  ),
  scenario('cache-metadata-gone', (place) =>
    rmSync(place.path('cache/committed/io.buildpacks.lifecycle.cache.metadata')),
  ),
  scenario(
    'skip-layers',
    () => {},
    restorer((place) => ['-skip-layers', '-cache-dir', place.path('cache')]),
  ),
  scenario(
    'no-cache',
    () => {},
    restorer(() => []),
  ),
  scenario(
    'cache-dir-missing',
    () => {},
    restorer((place) => ['-cache-dir', place.path('nowhere')]),
  ),
  scenario(
    'arguments',
    () => {},
    restorer(() => ['unexpected']),
  ),
]
