import { type ContainerPath, containerPath, joinPath } from '../../core/container-path.ts'
import type { Runner } from '../../core/runner.ts'
import type { TargetMetadata } from '../../spec/files/target.ts'
import { completeTarget, distroOfOsRelease, targetVariables } from '../../spec/target.ts'
import type { PhaseContext } from '../context.ts'
import { readEnvDirectory } from './read.ts'
import { allowedEnvironment, type EnvFile, type Environment } from './variables.ts'

/** What the environment of every program of a phase is made of. */
export interface ProgramVariables {
  /** What of the build image's environment passes. */
  readonly base: Environment
  /** `<platform>/env` */
  readonly user: readonly EnvFile[]
  /** `<build-config>/env` */
  readonly operator: readonly EnvFile[]
  /** The run image's target, completed by what the build image says. */
  readonly target: TargetMetadata
  /** `CNB_TARGET_…` */
  readonly targetVariables: Readonly<Record<string, string>>
}

/** Reads them once at the start of a phase: no buildpack can change them for the next one. */
export function readProgramVariables(
  inputs: {
    readonly target?: TargetMetadata
    readonly platformDir: ContainerPath
    readonly buildConfigDir: ContainerPath
  },
  context: PhaseContext & { readonly runner: Runner },
): ProgramVariables {
  const target = targetOf(inputs.target, context)
  return {
    base: allowedEnvironment(context.runner.baseEnvironment),
    user: readEnvDirectory(context.root, joinPath(inputs.platformDir, 'env')),
    operator: readEnvDirectory(context.root, joinPath(inputs.buildConfigDir, 'env')),
    target,
    targetVariables: targetVariables(target),
  }
}

const OS_RELEASE = containerPath('/etc/os-release')

function targetOf(target: TargetMetadata | undefined, { root, emit }: PhaseContext): TargetMetadata {
  if (target?.distro !== undefined) return target
  emit({
    type: 'info',
    message: 'target distro name/version labels not found, reading /etc/os-release file',
  })
  const text = root.stat(OS_RELEASE)?.isFile() ? root.readText(OS_RELEASE) : undefined
  return completeTarget(target, { distro: distroOfOsRelease(text ?? ''), arch: goArchitecture() })
}

/** This machine's architecture in Go's words. */
function goArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch
}
