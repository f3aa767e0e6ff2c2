/** bin/build: the context of a build, and the files that say what came of it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemCode } from '../../core/error.ts'
import { writeBuild } from '../../spec/files/build.ts'
import { parseBuildpackPlan } from '../../spec/files/buildpack-plan.ts'
import { writeLaunch } from '../../spec/files/launch.ts'
import { parseStore, writeStore } from '../../spec/files/store.ts'
import { EMPTY_TABLE } from '../../spec/toml/value.ts'
import type { Buildpack, BuildResult, DetectContext } from './buildpack.ts'
import { runner } from './command.ts'
import type { Inputs } from './inputs.ts'
import { layersIn } from './layers.ts'
import { createNetwork } from './network.ts'
import { writeCycloneDx } from './sbom.ts'

/** Runs the build of a buildpack and writes its result. What it throws is the failure of the phase. */
export async function build(
  buildpack: Buildpack,
  context: DetectContext,
  inputs: Inputs & { readonly phase: 'build' },
): Promise<void> {
  const { layersDir, planPath: file } = inputs
  const { env, platform, log } = context
  let folder: Promise<string> | undefined
  const temporary = () => {
    folder ??= mkdtemp(join(env.TMPDIR || tmpdir(), 'buildpack-'))
    return folder
  }
  const network = createNetwork({ platform, env, userAgent: 'slipway', temporary })
  try {
    const storeFile = join(layersDir, 'store.toml')
    const result = await buildpack.build({
      ...context,
      plan: parseBuildpackPlan(await textOf(file), { file, class: 'infrastructure' }).entries,
      layers: layersIn(layersDir),
      store:
        parseStore(await textOf(storeFile), { file: storeFile, class: 'infrastructure' }).metadata ??
        EMPTY_TABLE,
      network,
      run: runner(log),
      temporary,
    })
    await writeResult(layersDir, result)
  } finally {
    await network.close()
    if (folder !== undefined) await rm(await folder, { recursive: true, force: true })
  }
}

async function writeResult(layersDir: string, result: BuildResult): Promise<void> {
  const launch = writeLaunch({
    processes: (result.processes ?? []).map((process) => ({
      ...process,
      default: process.default ?? false,
      direct: true,
      buildpackId: '',
    })),
    labels: result.labels ?? [],
    slices: result.slices ?? [],
  })
  const files = {
    'launch.toml': launch,
    'build.toml': writeBuild({ unmet: result.unmet ?? [] }),
    'store.toml': result.store === undefined ? '' : writeStore({ metadata: result.store }),
    'launch.sbom.cdx.json': result.sbom?.launch === undefined ? '' : writeCycloneDx(result.sbom.launch),
    'build.sbom.cdx.json': result.sbom?.build === undefined ? '' : writeCycloneDx(result.sbom.build),
  }
  for (const [name, text] of Object.entries(files)) {
    // An empty file says the same as none, and a store that is not mentioned stays.
    if (text !== '') await writeFile(join(layersDir, name), text)
    else if (name !== 'store.toml') await rm(join(layersDir, name), { force: true })
  }
}

/** The text of a file; empty where it is missing, which says the same for every file read here. */
async function textOf(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return ''
    throw error
  })
}
