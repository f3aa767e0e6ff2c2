import { defineBuildpack } from '../sdk/buildpack.ts'

/** The Node.js buildpack. Each phase loads its own code alone: bin/detect runs in every build, also of apps it does not want. */
export const nodeBuildpack = defineBuildpack({
  detect: async (context) => (await import('./detect.ts')).detect(context),
  build: async (context) => (await import('./build.ts')).build(context),
})
