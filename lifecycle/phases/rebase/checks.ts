import { SlipwayError } from '../../../core/error.ts'
import type { Emit } from '../../../core/event.ts'
import type { ImageConfig } from '../../../oci/image.ts'
import { isAtLeast, readApiVersion } from '../../../spec/api-version.ts'
import { ENV } from '../../../spec/environment.ts'
import { LABELS } from '../../../spec/labels/names.ts'
import { formatTarget, matchesForRebase, targetOfImage } from '../../../spec/target.ts'

const PROVIDE_FORCE = 'please provide -force to override'

/** An app image and the new run image that it is to stand on. */
export interface RebasePair {
  readonly app: ImageConfig
  readonly base: ImageConfig
}

/**
 * Whether an app may stand on a new run image (cnb-spec RB-6, RB-7). What the app was built with decides: by stacks before
 * Platform API 0.12, else by targets. `force` turns a broken target rule into a warning, never a stack rule.
 * @returns whether the targets differ, so that the app's platform has to become the new run image's
 * @throws SlipwayError `REBASE_STACK_MISMATCH`, `REBASE_NOT_REBASABLE`, `REBASE_TARGET_MISMATCH`
 */
export function checkRebase(pair: RebasePair, force: boolean, emit: Emit): boolean {
  if (isBuiltForTargets(pair.app)) return checkTargets(pair, force, emit)
  checkStacks(pair)
  return false
}

function isBuiltForTargets(app: ImageConfig): boolean {
  const prefix = `${ENV.platformApi}=`
  const text = app.config?.Env?.find((variable) => variable.startsWith(prefix))?.slice(prefix.length) ?? ''
  if (text === '') return false
  const version = readApiVersion(text)
  if (version !== undefined) return isAtLeast(version, '0.12')
  throw new SlipwayError('REBASE_API_INVALID', `the app image has ${prefix}${text}, which is no version`, {
    subject: ENV.platformApi,
    hint: 'Build the app again.',
    class: 'user',
  })
}

function checkTargets({ app, base }: RebasePair, force: boolean, emit: Emit): boolean {
  const fail = (code: 'REBASE_NOT_REBASABLE' | 'REBASE_TARGET_MISMATCH', message: string): void => {
    if (force) emit({ type: 'warning', message })
    else throw refused(code, message)
  }
  if (app.config?.Labels?.[LABELS.rebasable] === 'false') {
    fail('REBASE_NOT_REBASABLE', 'app image is not marked as rebasable')
  }
  const [next, old] = [targetOfImage(base), targetOfImage(app)]
  if (matchesForRebase(next, old)) return false
  const targets = `new run image: ${formatTarget(next)}, old run image: ${formatTarget(old)}`
  fail('REBASE_TARGET_MISMATCH', `unable to satisfy target os/arch constraints; ${targets}`)
  return true
}

/** Something that `-force` allows. */
export function refused(code: Uppercase<string>, message: string): SlipwayError {
  return new SlipwayError(code, `${message}; ${PROVIDE_FORCE}`, {
    hint: 'Build the app again on the new run image, or force the rebase where you know that the app runs on it.',
    class: 'user',
  })
}

function checkStacks({ app, base }: RebasePair): void {
  const appStack = app.config?.Labels?.[LABELS.stackId] ?? ''
  const baseStack = base.config?.Labels?.[LABELS.stackId] ?? ''
  if (appStack === '') throw stackMismatch('stack not defined on working image')
  if (baseStack === '') throw stackMismatch('stack not defined on new base image')
  if (appStack !== baseStack) {
    throw stackMismatch(`incompatible stack: '${baseStack}' is not compatible with '${appStack}'`)
  }
  const offered = new Set(mixinsOf(base))
  const missing = mixinsOf(app).filter((mixin) => !offered.has(mixin))
  if (missing.length > 0) throw stackMismatch(`missing required mixin(s): ${missing.join(', ')}`)
}

/** The mixins of an image, sorted and without the names of stages (`run:curl` is `curl`). */
function mixinsOf(config: ImageConfig): readonly string[] {
  const text = config.config?.Labels?.[LABELS.stackMixins] ?? ''
  if (text === '') return []
  const mixins = readList(text)
  if (mixins === undefined) throw stackMismatch(`label ${LABELS.stackMixins} is no list of names: ${text}`)
  return [...new Set(mixins.map((mixin) => mixin.replace(/^(?:build|run):/, '')))].sort()
}

function readList(text: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(text) ?? []
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined
  } catch {
    return undefined
  }
}

function stackMismatch(message: string): SlipwayError {
  return new SlipwayError('REBASE_STACK_MISMATCH', message, {
    hint: 'The app was built for a stack (Platform API before 0.12): rebase it on a run image of that stack, or build it again.',
    class: 'user',
  })
}
