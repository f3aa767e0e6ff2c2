import type { ImageConfig } from '../../oci/image.ts'
import { LABELS } from '../../spec/labels/names.ts'
import type { Architecture, BaseRecipe } from './packages.ts'

/** Digest of what an image was made by: the lists of packages and the version of the fix-ups. */
export const RECIPE_LABEL = 'io.slipway.base.recipe'
/** Digest of the packages (names, versions, digests) that are in it. */
export const PACKAGES_LABEL = 'io.slipway.base.packages'

/** The time of images and history: the same input gives the same image. */
export const CREATED = '1980-01-01T00:00:01Z'

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The configuration of a base image (cnb-spec §9.1). Stack ID and environment are for platforms before Platform API 0.12. */
export function baseConfig(
  recipe: BaseRecipe,
  architecture: Architecture,
  labels: Readonly<Record<string, string>>,
): Omit<ImageConfig, 'rootfs' | 'history'> {
  const { account, distribution, kind } = recipe
  const stack = `io.slipway.stacks.${distribution.codename}`
  const build = [`CNB_USER_ID=${account.uid}`, `CNB_GROUP_ID=${account.gid}`, `CNB_STACK_ID=${stack}`]
  const sorted = {
    [LABELS.baseDescription]: `Debian ${distribution.version} (${distribution.codename}), ${kind} image`,
    [LABELS.baseDistroName]: distribution.name,
    [LABELS.baseDistroVersion]: distribution.version,
    [LABELS.baseId]: `io.slipway.base.${distribution.codename}`,
    [LABELS.baseMaintainer]: 'Slipway',
    [LABELS.stackId]: stack,
    ...labels,
  }
  return {
    architecture,
    ...(architecture === 'arm64' ? { variant: 'v8' } : {}),
    os: 'linux',
    created: CREATED,
    config: {
      User: `${account.uid}:${account.gid}`,
      Env: [`PATH=${PATH}`, ...(kind === 'build' ? build : [])],
      Labels: Object.fromEntries(Object.entries(sorted).sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  }
}
