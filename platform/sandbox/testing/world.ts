import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { containerPath } from '../../../core/container-path.ts'
import { handOver } from '../host-owner.ts'
import type { SandboxMount } from '../prepare.ts'
import { createSandbox, type Sandbox, type SandboxOptions } from '../sandbox.ts'

/** The native helper for this machine, from the repository. */
export const HELPER = join(
  import.meta.dirname,
  '../../../native/built',
  process.arch === 'arm64' ? 'arm64' : 'amd64',
  'sandbox',
)

/** A root with this machine's own programs, and a directory for the runs to share with the test. */
export interface World extends Disposable {
  readonly top: string
  readonly rootfs: string
  readonly workspace: string
  /** What makes the root usable: the machine's programs, read-only. */
  readonly system: readonly SandboxMount[]
}

/** A root in a private folder, as it would stand below /root: nobody else can reach it by its path. */
export function makeWorld(): World {
  const top = mkdtempSync(join(tmpdir(), 'slipway-sandbox-test-'))
  const rootfs = join(top, 'rootfs')
  const workspace = join(top, 'workspace')
  const system: SandboxMount[] = [{ path: containerPath('/usr'), host: '/usr', writable: false }]
  for (const folder of ['etc', 'usr']) mkdirSync(join(rootfs, folder), { recursive: true })
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    const state = lstatSync(`/${name}`, { throwIfNoEntry: false })
    if (state?.isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), join(rootfs, name))
    else if (state !== undefined)
      system.push({ path: containerPath(`/${name}`), host: `/${name}`, writable: false })
  }
  mkdirSync(workspace)
  chmodSync(workspace, 0o755)
  writeFileSync(join(rootfs, 'etc', 'os-release'), 'ID=test\n')
  return {
    top,
    rootfs,
    workspace,
    system,
    [Symbol.dispose]: () => rmSync(top, { recursive: true, force: true }),
  }
}

/** Where the world's workspace is inside. */
export const WORKSPACE = containerPath('/workspace')

/** A sandbox of a world with its workspace to write to, as the user of an image. */
export function optionsFor(world: World, more: Partial<SandboxOptions> = {}): SandboxOptions {
  return {
    rootfs: world.rootfs,
    mounts: [...world.system, { path: WORKSPACE, host: world.workspace, writable: true }],
    user: { uid: 1001, gid: 1002 },
    baseEnvironment: { PATH: '/usr/bin:/bin' },
    network: 'host',
    helper: HELPER,
    ...more,
  }
}

/** A sandbox by this process. */
export async function makeHere(world: World, more: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  handOver(world.workspace)
  return await createSandbox(optionsFor(world, more))
}

/** Waits for what another process does. */
export async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('it did not happen in 20 s')
    await pause(10)
  }
}
