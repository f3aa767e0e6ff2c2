import { isAtLeast } from '../../../spec/api-version.ts'
import type { Analyzed } from '../../../spec/files/analyzed.ts'
import type { PhaseContext } from '../../context.ts'
import type { GeneratedDockerfile } from './outputs.ts'

/** What the run.Dockerfiles of a group come to. */
export interface RunImageChoice {
  /** The image that the last switch names; absent where nobody switches. */
  readonly base?: string
  /** Whether anything is added to the run image. */
  readonly extend: boolean
  /** Those before the last switch: what they do would be thrown away. */
  readonly ignored: ReadonlySet<GeneratedDockerfile>
}

/** From the last run.Dockerfile backwards to the first that switches (cnb-spec IX-30, IX-31). */
export function chooseFromDockerfiles(dockerfiles: readonly GeneratedDockerfile[]): RunImageChoice {
  const ofRun = dockerfiles.filter(({ kind }) => kind === 'run')
  const last = ofRun.findLastIndex(({ base }) => base !== undefined)
  const base = ofRun[last]?.base
  return {
    ...(base === undefined ? {} : { base }),
    extend: ofRun.slice(Math.max(0, last)).some((dockerfile) => dockerfile.extends),
    ignored: new Set(ofRun.slice(0, Math.max(0, last))),
  }
}

/**
 * Whether the choice is another image than the analyzer's. Names are compared as they were written: a digest that an author
 * gave is meant (IX-33). Before Platform API 0.12 the name is not recorded, so every switch is one.
 */
export function isSwitch(
  { base }: RunImageChoice,
  { runImage }: Analyzed,
  { platformApi }: Pick<PhaseContext, 'platformApi'>,
): boolean {
  return base !== undefined && (!isAtLeast(platformApi, '0.12') || base !== (runImage?.image ?? ''))
}

/** analyzed.toml with the choice in it; what is known of the old run image's target goes (IX-32, IX-33). */
export function withRunImage(
  analyzed: Analyzed,
  choice: RunImageChoice,
  context: Pick<PhaseContext, 'platformApi'>,
): Analyzed {
  const { base, extend } = choice
  const switched = isSwitch(choice, analyzed, context) && base !== undefined
  const runImage = switched ? { reference: base, image: base, extend: false } : analyzed.runImage
  if (runImage === undefined) return analyzed
  return { ...analyzed, runImage: extend ? { ...runImage, extend } : runImage }
}
