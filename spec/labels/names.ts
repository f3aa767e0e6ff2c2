/** Names of image labels (platform and distribution spec; cnb-spec §5.6, §9). */
export const LABELS = {
  lifecycleMetadata: 'io.buildpacks.lifecycle.metadata',
  buildMetadata: 'io.buildpacks.build.metadata',
  projectMetadata: 'io.buildpacks.project.metadata',
  cacheMetadata: 'io.buildpacks.lifecycle.cache.metadata',
  execEnv: 'io.buildpacks.exec-env',
  rebasable: 'io.buildpacks.rebasable',

  baseId: 'io.buildpacks.base.id',
  baseDistroName: 'io.buildpacks.base.distro.name',
  baseDistroVersion: 'io.buildpacks.base.distro.version',
  baseMaintainer: 'io.buildpacks.base.maintainer',
  baseHomepage: 'io.buildpacks.base.homepage',
  baseDescription: 'io.buildpacks.base.description',
  baseReleased: 'io.buildpacks.base.released',
  baseMetadata: 'io.buildpacks.base.metadata',

  stackId: 'io.buildpacks.stack.id',
  stackMixins: 'io.buildpacks.stack.mixins',

  builderMetadata: 'io.buildpacks.builder.metadata',
  buildpackLayers: 'io.buildpacks.buildpack.layers',
  extensionLayers: 'io.buildpacks.extension.layers',
  buildpackOrder: 'io.buildpacks.buildpack.order',
  extensionOrder: 'io.buildpacks.buildpack.order-extensions',
  systemBuildpacks: 'io.buildpacks.buildpack.system',
  buildpackageMetadata: 'io.buildpacks.buildpackage.metadata',

  lifecycleVersion: 'io.buildpacks.lifecycle.version',
  lifecycleApis: 'io.buildpacks.lifecycle.apis',
} as const

/** Labels that a rebase replaces with those of the new run image (cnb-spec RB-5). */
export const BASE_LABEL_PREFIX = 'io.buildpacks.base.'
export const STACK_LABEL_PREFIX = 'io.buildpacks.stack.'
