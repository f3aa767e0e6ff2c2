import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ContainerPath, containerPath } from '../../core/container-path.ts'
import { SlipwayError } from '../../core/error.ts'
import type { Runner, RunSpec, RunStatus } from '../../core/runner.ts'
import { bubblewrapDriver } from './bubblewrap.ts'
import type { Driver, DriverName, Network, Owner, Plan, Step } from './driver.ts'
import { type Attempt, failure, unavailable } from './failure.ts'
import { handOver, hostOwner } from './host-owner.ts'
import { networkFiles, planMounts, type SandboxMount } from './prepare.ts'
import { type Output, type SandboxProcess, startProcess, text } from './process.ts'
import { unshareDriver } from './unshare.ts'

export interface SandboxOptions {
  /**
   * The unpacked root of an image: read-only inside. Places to mount on that it lacks are made in it, so it must be ours,
   * or complete. As root its files must be readable for others: nothing inside runs as the machine's root.
   */
  readonly rootfs: string
  /**
   * A deeper path covers one above it. As root, writable ones are handed over to {@link hostOwner} before each run: what
   * the phases wrote since belongs to root, and programs must be able to change it.
   */
  readonly mounts: readonly SandboxMount[]
  /** Empty directories in memory, fresh in every run; `/tmp` alone when absent. A mount of the same path goes first. */
  readonly temporary?: readonly ContainerPath[]
  /** Whom programs are inside: the image's CNB_USER_ID and CNB_GROUP_ID. */
  readonly user: Owner
  /** The environment of the build image. */
  readonly baseEnvironment: Readonly<Record<string, string>>
  readonly network: Network
  /** The native helper: `native/built/<architecture>/sandbox`. */
  readonly helper: string
  /** `bubblewrap` or `unshare` instead of the first that works. */
  readonly driver?: string
}

/** A program that was started and has not been waited for. */
export interface Started {
  /** Settles when nothing of the sandbox runs any more. @throws SlipwayError `SANDBOX_…`, `RUNNER_…` */
  readonly status: Promise<RunStatus>
  /** Sends a signal to the program; an interrupt reaches all that it started in the foreground, as from a terminal. */
  signal(name: NodeJS.Signals): void
}

/**
 * A laptop's runner: every program has namespaces of its own (mounts, processes, users, ipc, host name, and the network
 * where asked), an unprivileged user, no capability, and no way to gain one. Nothing of the machine is in sight but what
 * was mounted, and with the program ends all that it started.
 */
export interface Sandbox extends Runner, AsyncDisposable {
  readonly driver: DriverName
  /** Starts a program; `inherit` gives it this process's input and outputs. */
  start(spec: RunSpec, output: Output): Started
}

const DRIVERS: readonly Driver[] = [bubblewrapDriver, unshareDriver]

/** Names by which a driver may be asked for. */
const DRIVER_NAMES: Readonly<Record<string, Driver>> = {
  bubblewrap: bubblewrapDriver,
  bwrap: bubblewrapDriver,
  unshare: unshareDriver,
}

/**
 * Makes a sandbox for any number of runs, also at the same time, and tries it once.
 * @throws SlipwayError `SANDBOX_UNAVAILABLE` with what to enable, `SANDBOX_DRIVER_UNKNOWN`, `SANDBOX_MOUNT_SOURCE`,
 *   `SANDBOX_MOUNT_POINT`
 */
export async function createSandbox(options: SandboxOptions): Promise<Sandbox> {
  const drivers = chooseDrivers(options.driver)
  const helper = openHelper(options.helper)
  const folder = mkdtempSync(join(tmpdir(), 'slipway-sandbox-'))
  const dispose = (): void => {
    closeSync(helper)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const mounts = [...networkFiles(folder, options.network), ...options.mounts]
    const owner = hostOwner()
    const plan: Plan = {
      rootfs: options.rootfs,
      mounts: planMounts(options.rootfs, mounts, options.temporary ?? [containerPath('/tmp')]),
      network: options.network,
      user: options.user,
      become: process.geteuid?.() === 0 ? owner : undefined,
      helper: options.helper,
    }
    const driver = await firstThatWorks(drivers, plan, helper)
    return sandbox(driver, plan, helper, options.baseEnvironment, dispose)
  } catch (error) {
    dispose()
    throw error
  }
}

function chooseDrivers(name: string | undefined): readonly Driver[] {
  if (name === undefined) return DRIVERS
  const driver = DRIVER_NAMES[name]
  if (driver !== undefined) return [driver]
  throw new SlipwayError('SANDBOX_DRIVER_UNKNOWN', `there is no sandbox called ${JSON.stringify(name)}`, {
    subject: name,
    hint: 'bubblewrap or unshare, or nothing for the first that works',
    class: 'usage',
    exitCode: 3,
  })
}

function openHelper(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    throw new SlipwayError('SANDBOX_HELPER_MISSING', 'the native helper of sandboxes is not there', {
      subject: path,
      hint: 'remove the installed program and run ./slipway again: it installs the program anew',
      cause,
    })
  }
}

async function firstThatWorks(drivers: readonly Driver[], plan: Plan, helper: number): Promise<Driver> {
  const attempts: Attempt[] = []
  for (const driver of drivers) {
    if (driver.program(plan) === undefined) {
      attempts.push({ driver: driver.name, why: 'not installed' })
      continue
    }
    const answer = await startProcess(driver, plan, helper, [['probe']], () => {}).answer
    if (answer.kind === 'exited') return driver
    const why =
      answer.kind === 'failed'
        ? `${answer.step} ${answer.operand}: ${answer.error}`
        : answer.kind === 'none'
          ? answer.message
          : answer.signal
    attempts.push({ driver: driver.name, why })
  }
  throw unavailable(attempts)
}

function sandbox(
  driver: Driver,
  plan: Plan,
  helper: number,
  baseEnvironment: Readonly<Record<string, string>>,
  dispose: () => void,
): Sandbox {
  const active = new Set<SandboxProcess>()

  function start(spec: RunSpec, output: Output): Started {
    for (const mount of plan.mounts) {
      if (mount.kind === 'directory' && mount.writable) handOver(mount.source)
    }
    const running = startProcess(driver, plan, helper, programSteps(spec, output), output)
    active.add(running)
    let isLate = false
    const { timeout } = spec
    const timer =
      timeout === undefined
        ? undefined
        : setTimeout(() => {
            isLate = true
            running.kill()
          }, timeout)
    const status = running.answer.then((answer): RunStatus => {
      clearTimeout(timer)
      active.delete(running)
      if (isLate && timeout !== undefined) return { kind: 'timed-out', after: timeout }
      if (answer.kind === 'exited' || answer.kind === 'signalled') return answer
      throw failure(answer, driver.name)
    })
    return { status, signal: running.signal }
  }

  return {
    driver: driver.name,
    baseEnvironment,
    start,
    run: (spec, onOutput) => start(spec, onOutput).status,
    [Symbol.asyncDispose]: async () => {
      for (const running of active) running.kill()
      await Promise.all([...active].map(({ answer }) => answer))
      dispose()
    },
  }
}

function programSteps(spec: RunSpec, output: Output): Step[] {
  return [
    ...(output === 'inherit' ? [] : ([['relay']] as const)),
    ['directory', spec.cwd],
    ['argument', spec.program],
    ...spec.args.map((argument) => ['argument', text(argument)] as const),
    ...Object.entries(spec.env).map(([name, value]) => ['variable', text(`${name}=${value}`)] as const),
  ]
}
