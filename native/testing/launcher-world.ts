import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export interface Launch {
  /** What the launcher is called by. */
  readonly as?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly metadata?: string
  /** Files below the world's folder by path; a path that ends in a slash is a directory. */
  readonly files?: Readonly<Record<string, string>>
}

/** Two buildpacks, one from before API 0.9. */
export const BUILDPACKS = `
[[buildpacks]]
id = "some/buildpack"
version = "1.2.3"
api = "0.12"
[[buildpacks]]
id = "older"
version = "1"
api = "0.8"
`

/** A process whose program writes each of its arguments on a line. */
export function processNamed(type: string, more = ''): string {
  return `[[processes]]\ntype = "${type}"\ncommand = ["printf", "%s\\\\n", "always"]\nargs = ["default"]\ndirect = true\nbuildpack-id = "some/buildpack"\n${more}\n`
}

/** A program of a layer that writes TOML to descriptor 3. */
export const helper = (text: string): string => `#!/bin/sh\n${text}\n`

/** A path in a layer. */
export const layer = (path: string, id = 'some_buildpack', at = 'layer') => `layers/${id}/${at}/${path}`

/** An app and its layers in a temporary folder, and the launcher started on them. */
export interface LauncherWorld extends Disposable {
  readonly top: string
  put(path: string, content: string): void
  launch(what: Launch): SpawnSyncReturns<string>
}

export function launcherWorld(binary: string): LauncherWorld {
  const top = mkdtempSync(join(tmpdir(), 'slipway-launcher-'))
  mkdirSync(join(top, 'app'))

  function put(path: string, content: string): void {
    const file = join(top, path)
    if (path.endsWith('/')) {
      mkdirSync(file, { recursive: true })
      return
    }
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    chmodSync(file, content.startsWith('#!') ? 0o755 : 0o644)
  }

  function launch(what: Launch): SpawnSyncReturns<string> {
    put('layers/config/metadata.toml', what.metadata ?? BUILDPACKS + processNamed('web'))
    for (const [path, content] of Object.entries(what.files ?? {})) put(path, content)
    const env = {
      PATH: '/cnb/process:/cnb/lifecycle:/usr/bin:/bin',
      CNB_PLATFORM_API: '0.15',
      CNB_LAYERS_DIR: join(top, 'layers'),
      CNB_APP_DIR: join(top, 'app'),
      ASAN_OPTIONS: 'detect_leaks=0',
      ...what.env,
    }
    return spawnSync(binary, what.args ?? [], {
      argv0: what.as ?? 'launcher',
      env,
      cwd: '/',
      encoding: 'utf8',
    })
  }

  return { top, put, launch, [Symbol.dispose]: () => rmSync(top, { recursive: true, force: true }) }
}
