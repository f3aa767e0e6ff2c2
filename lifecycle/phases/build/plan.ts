import { SlipwayError } from '../../../core/error.ts'
import type { BuildpackPlan } from '../../../spec/files/buildpack-plan.ts'
import type { Plan } from '../../../spec/files/plan.ts'
import type { BuildpackId } from '../../../spec/names.ts'
import type { Module } from '../detect/modules.ts'

/**
 * What a buildpack or extension is asked to provide: the requirements it offered to meet and nobody before it has met
 * (cnb-spec BU-4, IX-10).
 */
export function planFor(plan: Plan, kind: Module['kind'], id: BuildpackId): BuildpackPlan {
  const provided = plan.entries.filter(({ providers }) =>
    providers.some((provider) => provider.id === id && provider.extension === (kind === 'extension')),
  )
  return { entries: provided.flatMap(({ requires }) => requires) }
}

/**
 * The plan for the buildpacks after one that was asked for `asked` and left `unmet` to them.
 * @throws SlipwayError `BUILD_UNMET_INVALID` where a name is empty or was not asked for.
 */
export function planAfter(
  plan: Plan,
  asked: BuildpackPlan,
  unmet: readonly string[],
  buildpack: string,
): Plan {
  for (const name of unmet) {
    if (name === '') throw invalid('unmet.name is required', buildpack)
    if (!asked.entries.some((entry) => entry.name === name)) {
      throw invalid(`unmet.name '${name}' must match a requested dependency`, buildpack)
    }
  }
  const met = new Set(asked.entries.map(({ name }) => name).filter((name) => !unmet.includes(name)))
  return { entries: plan.entries.filter(({ requires }) => !requires.some(({ name }) => met.has(name))) }
}

function invalid(message: string, buildpack: string): SlipwayError {
  return new SlipwayError('BUILD_UNMET_INVALID', `build.toml of ${buildpack}: ${message}`, {
    subject: buildpack,
    class: 'buildpack',
  })
}
