import type { BuildContext, BuildResult } from '../sdk/index.ts'
import { userError } from '../sdk/index.ts'
import { mayCompile } from './install-plan.ts'
import { developmentCommands, type LockFile } from './lock-file.ts'
import { locateNpm, npmRunner } from './npm.ts'
import { readPackageJson } from './package-json.ts'
import { provideCommands, providePackages, readLockFile } from './packages.ts'
import { provideRuntime } from './runtime.ts'
import { startProcesses } from './start-command.ts'

/** Node.js, packages, build scripts, start command, in this order; each part says what it found and why. */
export async function build(context: BuildContext): Promise<BuildResult> {
  const manifest = await readPackageJson(context.app)
  if (manifest === undefined) {
    throw userError('NODE_PACKAGE_JSON_MISSING', 'there is no package.json', {
      subject: 'package.json',
      hint: 'Another buildpack removed it after detection.',
    })
  }
  const lock = await readLockFile(context)
  const npm = await locateNpm(context.buildpackDir)
  const runtime = await provideRuntime(context, {
    npm,
    manifest,
    wantsHeaders: (cpu) => mayCompile(lock, cpu),
    now: Date.now(),
  })
  const commands = await provideCommands(context, npm)
  const run = await npmRunner(context, npm, runtime.layer, commands, runtime.headers)
  const slices = await providePackages({ context, manifest, lock, npm, runtime, run })
  return { slices, processes: await processes(context, manifest, lock) }
}

async function processes(
  { app, env, log }: BuildContext,
  manifest: NonNullable<Awaited<ReturnType<typeof readPackageJson>>>,
  lock: LockFile,
) {
  const names = ['server.js', 'index.js', 'index.mjs', 'index.cjs', manifest.main ?? '']
  const files = new Set<string>()
  for (const name of names) if (name !== '' && (await app.isFile(name))) files.add(name)
  const start = startProcesses({
    procfile: await app.readText('Procfile'),
    scripts: manifest.scripts,
    main: manifest.main,
    launchpoint: env.BP_LAUNCHPOINT || undefined,
    startScript: env.BP_NPM_START_SCRIPT || undefined,
    developmentCommands: developmentCommands(lock),
    isFile: (name) => files.has(name),
  })
  log.step('Start command')
  if (start.rule === undefined) {
    log.warning(
      'nothing says how to start this app, so the image has no web process',
      'Add "scripts": { "start": "node …" } to package.json, or a Procfile.',
    )
  }
  for (const { type, command } of start.processes)
    log.info(`${type}: ${command.join(' ')}${type === 'web' ? ` (${start.rule})` : ''}`)
  for (const warning of start.warnings)
    log.warning(warning, 'Start the program itself: "start": "node server.js".')
  return start.processes
}
