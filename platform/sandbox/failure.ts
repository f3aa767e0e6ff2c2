import { existsSync, readFileSync } from 'node:fs'
import { SlipwayError } from '../../core/error.ts'
import type { DriverName } from './driver.ts'
import type { Answer } from './process.ts'

type Failed = Exclude<Answer, { kind: 'exited' | 'signalled' }>

/** Steps after which the sandbox stands and only the program itself can be at fault. */
const PROGRAM_STEPS = new Set(['directory', 'program', 'interpreter'])

/** Why the program could not be started: the same codes as from the runner inside a container. */
export function failure(answer: Failed, driver: DriverName): SlipwayError {
  if (answer.kind === 'none') {
    return new SlipwayError(
      'SANDBOX_START_FAILED',
      `the sandbox ended before its program: ${answer.message || driver}`,
      {
        subject: driver,
        class: 'infrastructure',
      },
    )
  }
  if (PROGRAM_STEPS.has(answer.step)) return programFailure(answer)
  const what = `${answer.step}${answer.operand === '' ? '' : ` ${answer.operand}`}: ${answer.error}`
  return new SlipwayError('SANDBOX_START_FAILED', `the sandbox could not be made (${what})`, {
    subject: answer.operand || driver,
    class: 'infrastructure',
  })
}

function programFailure({ error, step, operand }: Extract<Answer, { kind: 'failed' }>): SlipwayError {
  const fail = (code: Uppercase<string>, message: string, hint?: string) =>
    new SlipwayError(code, message, {
      subject: operand,
      class: 'buildpack',
      ...(hint === undefined ? {} : { hint }),
    })
  if (step === 'directory')
    return fail('RUNNER_DIRECTORY_MISSING', `cannot run a program in ${operand}: ${error}`)
  if (step === 'interpreter')
    return fail('RUNNER_INTERPRETER_MISSING', `cannot run ${operand}: its interpreter is missing`)
  if (error === 'ENOENT') return fail('RUNNER_PROGRAM_MISSING', `cannot run ${operand}: no such file`)
  if (error !== 'EACCES') return fail('RUNNER_START_FAILED', `cannot run ${operand}: ${error}`)
  return fail(
    'RUNNER_NOT_EXECUTABLE',
    `cannot run ${operand}: permission denied`,
    'a program of a buildpack needs the executable bit',
  )
}

/** What one driver said when it was tried. */
export interface Attempt {
  readonly driver: DriverName
  readonly why: string
}

/**
 * No driver works: what this machine must allow, as far as it can be seen.
 */
export function unavailable(attempts: readonly Attempt[]): SlipwayError {
  const tried = attempts.map(({ driver, why }) => `${driver}: ${why}`).join('; ')
  const hints = obstacles(readMachine())
  return new SlipwayError('SANDBOX_UNAVAILABLE', `no sandbox can be made on this machine (${tried})`, {
    subject: attempts.map(({ driver }) => driver).join(', '),
    hint:
      hints.length > 0
        ? hints.join('; or ')
        : 'buildpacks run in user namespaces: install the package bubblewrap, or ask who administers the machine why they are forbidden',
    class: 'infrastructure',
  })
}

/** Settings that decide about user namespaces; undefined where a kernel does not know one. */
export interface Machine {
  readonly maxUserNamespaces: string | undefined
  readonly unprivilegedClone: string | undefined
  readonly appArmorRestricts: string | undefined
  readonly inContainer: boolean
  readonly hasBubblewrap: boolean
}

/** What to do about each setting that forbids sandboxes. */
export function obstacles(machine: Machine): string[] {
  const found: string[] = []
  if (machine.maxUserNamespaces === '0')
    found.push('user namespaces are off: sudo sysctl -w user.max_user_namespaces=15000')
  if (machine.unprivilegedClone === '0')
    found.push('user namespaces are for root only: sudo sysctl -w kernel.unprivileged_userns_clone=1')
  if (machine.appArmorRestricts === '1')
    found.push(
      'AppArmor restricts user namespaces: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that allows `userns` to bubblewrap',
    )
  if (machine.inContainer)
    found.push(
      'this is a container, whose own seccomp profile forbids namespaces: run the phases of the lifecycle in it directly, or start it with a profile that allows them (--security-opt seccomp=unconfined)',
    )
  if (found.length > 0 && !machine.hasBubblewrap)
    found.push('install the package bubblewrap, which some distributions allow more')
  return found
}

function readMachine(): Machine {
  return {
    maxUserNamespaces: setting('user/max_user_namespaces'),
    unprivilegedClone: setting('kernel/unprivileged_userns_clone'),
    appArmorRestricts: setting('kernel/apparmor_restrict_unprivileged_userns'),
    inContainer: ['/.dockerenv', '/run/.containerenv', '/var/run/secrets/kubernetes.io'].some((path) =>
      existsSync(path),
    ),
    hasBubblewrap: existsSync('/usr/bin/bwrap'),
  }
}

function setting(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${path}`, 'utf8').trim()
  } catch {
    return undefined
  }
}
