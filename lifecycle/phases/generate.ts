import { type ContainerPath, joinPath } from '../../core/container-path.ts'
import type { Runner } from '../../core/runner.ts'
import { isAtLeast } from '../../spec/api-version.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import type { Analyzed } from '../../spec/files/analyzed.ts'
import type { GroupElement } from '../../spec/files/group.ts'
import { formatModuleRef } from '../../spec/files/module-ref.ts'
import type { Plan } from '../../spec/files/plan.ts'
import type { Run } from '../../spec/files/run.ts'
import { escapeId } from '../../spec/names.ts'
import { inFamily, type PhaseContext } from '../context.ts'
import { readProgramVariables } from '../environment/program.ts'
import { names } from '../images/run-image.ts'
import { planAfter, planFor } from './build/plan.ts'
import { type LookUp, moduleStore } from './detect/modules.ts'
import { copyTree } from './generate/copy-tree.ts'
import { type GeneratedDockerfile, readOutputs } from './generate/outputs.ts'
import { placeDockerfiles, writesInPlace } from './generate/place.ts'
import { type GenerateSettings, runGenerate } from './generate/run-generate.ts'
import { chooseFromDockerfiles, isSwitch, withRunImage } from './generate/run-image.ts'
import { inPhase, temporaryPath } from './in-phase.ts'

/** What `generate` needs to know (platform spec, detector; cnb-spec §8.2 to §8.4). */
export interface GenerateInputs {
  /** Those that detection chose, in order. */
  readonly extensions: readonly GroupElement[]
  readonly plan: Plan
  readonly analyzed: Analyzed
  /** run.toml: a new run image that it does not name is warned of. */
  readonly run: Run
  readonly appDir: ContainerPath
  readonly platformDir: ContainerPath
  readonly buildConfigDir: ContainerPath
  readonly buildpacksDir: ContainerPath
  readonly extensionsDir: ContainerPath
  /** Where the extender looks for Dockerfiles; what an earlier build left of the same extensions goes. */
  readonly generatedDir: ContainerPath
  /** Milliseconds after which one bin/generate is ended; none when absent. */
  readonly timeout?: number
}

export interface Generated {
  /** With the run image that the extensions chose. */
  readonly analyzed: Analyzed
  /** Without what the extensions provide. */
  readonly plan: Plan
}

/**
 * Runs bin/generate of the chosen image extensions, checks their Dockerfiles and decides on the run image (image extension
 * spec §Phase: Generation). The caller writes the values to analyzed.toml and plan.toml.
 * @throws SlipwayError `GENERATE_EXTENSION_FAILED` (exit 91); others, also for what an extension wrote wrongly (exit 92).
 */
export function generate(
  inputs: GenerateInputs,
  context: PhaseContext & { readonly runner: Runner },
): Promise<Generated> {
  const { root, emit } = context
  return inPhase(emit, 'generate', () =>
    inFamily(EXIT_CODES.generate, 'GENERATE_FAILED', 'generate', async () => {
      const temporary = { plans: temporaryPath('generate'), outputs: temporaryPath('generate') }
      try {
        root.mkdir(temporary.plans)
        return await generateAll(inputs, temporary, context)
      } finally {
        root.remove(temporary.plans)
        root.remove(temporary.outputs)
      }
    }),
  )
}

async function generateAll(
  inputs: GenerateInputs,
  temporary: { readonly plans: ContainerPath; readonly outputs: ContainerPath },
  context: PhaseContext & { readonly runner: Runner },
): Promise<Generated> {
  const { root } = context
  const target = inputs.analyzed.runImage?.target
  const settings: GenerateSettings = {
    ...inputs,
    ...context,
    ...readProgramVariables({ ...inputs, ...(target === undefined ? {} : { target }) }, context),
    temporary: temporary.plans,
  }
  const lookUp = moduleStore(root, { buildpacks: inputs.buildpacksDir, extensions: inputs.extensionsDir })
  const outputs = writesInPlace(context) ? inputs.generatedDir : temporary.outputs

  let { plan } = inputs
  const dockerfiles: GeneratedDockerfile[] = []
  for (const ref of inputs.extensions) {
    const asked = planFor(plan, 'extension', ref.id)
    const output = joinPath(outputs, escapeId(ref.id))
    await fill(ref, output, asked, lookUp, settings)
    const found = readOutputs(output, ref.id, context)
    warnOfNoEffect(found, context)
    dockerfiles.push(...found)
    plan = planAfter(plan, asked, [], formatModuleRef(ref))
  }

  const choice = chooseFromDockerfiles(dockerfiles)
  if (choice.base !== undefined && isSwitch(choice, inputs.analyzed, context))
    warnOfUnlisted(choice.base, inputs, context)
  placeDockerfiles(dockerfiles, choice.ignored, inputs.generatedDir, context)
  return { analyzed: withRunImage(inputs.analyzed, choice, context), plan }
}

/** IX-12: an extension without bin/generate brings its output. */
async function fill(
  ref: GroupElement,
  output: ContainerPath,
  asked: ReturnType<typeof planFor>,
  lookUp: LookUp,
  settings: GenerateSettings,
): Promise<void> {
  const { root } = settings
  const module = lookUp('extension', ref)
  root.remove(output)
  root.mkdir(output)
  if (root.stat(joinPath(module.directory, 'bin', 'generate')) !== undefined) {
    return runGenerate(module, output, asked, settings)
  }
  copyTree(root, joinPath(module.directory, 'generate'), output)
}

/** IX-21: before Platform API 0.12 nobody extends a run image. */
function warnOfNoEffect(
  dockerfiles: readonly GeneratedDockerfile[],
  { platformApi, emit }: PhaseContext,
): void {
  if (isAtLeast(platformApi, '0.12')) return
  for (const { kind, extension, extends: adds } of dockerfiles) {
    if (kind !== 'run' || !adds) continue
    const message = `run.Dockerfile of extension ${extension}: what stands behind FROM has no effect before Platform API 0.12`
    emit({ type: 'warning', message })
  }
}

/** IX-34 */
function warnOfUnlisted(base: string, { run }: GenerateInputs, { emit }: PhaseContext): void {
  if (run.images.some((entry) => names(entry, base))) return
  emit({ type: 'warning', message: `new runtime base image '${base}' not found in run metadata` })
}
