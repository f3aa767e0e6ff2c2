import { SlipwayError } from '../../core/error.ts'
import type { Target } from './buildpack.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** Where a program of a buildpack finds what it is given: `CNB_*` variables, else the arguments (before Buildpack API 0.8). */
export type Inputs =
  | { readonly phase: 'detect'; readonly platformDir: string; readonly planPath: string }
  | {
      readonly phase: 'build'
      readonly layersDir: string
      readonly platformDir: string
      readonly planPath: string
    }

/** @throws SlipwayError `BUILDPACK_USAGE` where something is missing. */
export function readInputs(args: readonly string[], env: Variables): Inputs {
  const [phase, first, second, third] = args
  const given = (name: string, positional: string | undefined) => {
    const value = env[name] || positional
    if (value !== undefined && value !== '') return value
    throw usage(`${name} is not set and no argument stands in for it`)
  }
  if (phase === 'detect') {
    return {
      phase,
      platformDir: given('CNB_PLATFORM_DIR', first),
      planPath: given('CNB_BUILD_PLAN_PATH', second),
    }
  }
  if (phase === 'build') {
    return {
      phase,
      layersDir: given('CNB_LAYERS_DIR', first),
      platformDir: given('CNB_PLATFORM_DIR', second),
      planPath: given('CNB_BP_PLAN_PATH', third),
    }
  }
  throw usage(`expected detect or build, found ${phase ?? 'nothing'}`)
}

function usage(message: string): SlipwayError {
  return new SlipwayError('BUILDPACK_USAGE', message, {
    class: 'usage',
    hint: 'A lifecycle starts this program as bin/detect or bin/build of its buildpack.',
  })
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

/** The target of the build (Buildpack API 0.10); before that this machine is taken. */
export function readTarget(env: Variables, machine: string): Target {
  const { CNB_TARGET_ARCH_VARIANT: variant, CNB_TARGET_DISTRO_NAME: name } = env
  return {
    os: env.CNB_TARGET_OS || 'linux',
    arch: env.CNB_TARGET_ARCH || (ARCHITECTURES[machine] ?? machine),
    ...(variant === undefined || variant === '' ? {} : { variant }),
    ...(name === undefined || name === ''
      ? {}
      : { distro: { name, version: env.CNB_TARGET_DISTRO_VERSION ?? '' } }),
  }
}
