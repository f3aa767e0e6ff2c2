import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { containerPath } from '../../core/container-path.ts'
import { handOver } from '../sandbox/host-owner.ts'
import type { SandboxMount } from '../sandbox/prepare.ts'
import { copyApplication, type Exclude } from './workspace.ts'

/** Files below `<platform>`: `env/NAME`, `bindings/<binding>/<key>`. They may hold secrets. */
export type PlatformFiles = Readonly<Record<string, string>>

/**
 * The folders of one build: layers, application, platform, home and /tmp, as the sandbox mounts them over a builder's
 * root. Every build begins with empty layers, and nothing of it is left when it is disposed of but what kept-layers.ts
 * takes out of it.
 */
export interface BuildDirectory extends Disposable {
  readonly mounts: readonly SandboxMount[]
  /** On this machine; for what goes with the build and is on its file system. */
  readonly path: string
}

const LEFTOVER_AGE = 24 * 60 * 60 * 1000

/**
 * @param parent folder of builds under way, on the file system of the store
 * @param home the build user's home directory in the container
 */
export function createBuildDirectory(options: {
  readonly parent: string
  readonly app: string
  readonly exclude?: Exclude
  readonly home: string
  readonly platform: PlatformFiles
}): BuildDirectory {
  mkdirSync(options.parent, { recursive: true })
  removeLeftovers(options.parent)
  const path = join(options.parent, randomBytes(8).toString('hex'))
  const folders = {
    layers: '/layers',
    workspace: '/workspace',
    platform: '/platform',
    tmp: '/tmp',
    home: options.home,
  }
  mkdirSync(path, { mode: 0o711 })
  const dispose = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 3 })
  try {
    for (const folder of Object.keys(folders)) mkdirSync(join(path, folder))
    chmodSync(join(path, 'tmp'), 0o1777)
    // What the platform gives may be secret: nobody else on this machine may read it.
    chmodSync(join(path, 'platform'), 0o700)
    for (const [file, text] of Object.entries(options.platform)) {
      mkdirSync(join(path, 'platform', file, '..'), { recursive: true })
      writeFileSync(join(path, 'platform', file), text, { mode: 0o600 })
    }
    handOver(join(path, 'platform'))
    copyApplication(options.app, join(path, 'workspace'), options.exclude)
  } catch (error) {
    dispose()
    throw error
  }
  return {
    path,
    mounts: Object.entries(folders).map(([folder, at]) => ({
      path: containerPath(at),
      host: join(path, folder),
      writable: folder !== 'platform',
    })),
    [Symbol.dispose]: dispose,
  }
}

/** Builds that a crash left behind. Others may be building right now, hence by age. */
function removeLeftovers(parent: string): void {
  for (const name of readdirSync(parent)) {
    const path = join(parent, name)
    if (Date.now() - statSync(path).mtimeMs > LEFTOVER_AGE) rmSync(path, { recursive: true, force: true })
  }
}
