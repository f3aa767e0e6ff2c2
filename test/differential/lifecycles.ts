import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { type Ended, testLifecycle } from '../../lifecycle/commands/testing/lifecycle.ts'
import { GROUP, USER } from './world.ts'

/** A lifecycle whose phases are programs; both are driven alike. */
export interface Lifecycle extends Disposable {
  run(phase: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended>
}

/** Nothing of the machine's but these: buildpacks print what they see. */
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent', CNB_NO_COLOR: 'true' }

/** This checkout's, bundled as it is shipped. */
export async function ourLifecycle(): Promise<Lifecycle> {
  const lifecycle = await testLifecycle()
  return {
    run: (phase, args, env) => lifecycle.run(phase, args, { env: { ...ENVIRONMENT, ...env } }),
    [Symbol.dispose]: () => lifecycle[Symbol.dispose](),
  }
}

/** The one in a folder laid out like /cnb/lifecycle. */
export function referenceLifecycle(folder: string): Lifecycle {
  return {
    run: (phase, args, env) =>
      new Promise((resolve, reject) => {
        const child = spawn(join(folder, phase), args, {
          cwd: '/',
          env: { ...ENVIRONMENT, ...env },
          stdio: ['ignore', 'pipe', 'pipe'],
          ...(process.getuid?.() === 0 ? { uid: USER, gid: GROUP } : {}),
        })
        const texts = { stdout: '', stderr: '' }
        child.stdout.setEncoding('utf8').on('data', (text) => (texts.stdout += text))
        child.stderr.setEncoding('utf8').on('data', (text) => (texts.stderr += text))
        child.on('error', reject)
        child.on('close', (code) => resolve({ code, ...texts }))
      }),
    [Symbol.dispose]: () => undefined,
  }
}
