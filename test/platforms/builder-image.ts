import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageLifecycle } from '../../builders/package/package.ts'
import { CLONE, machine } from '../../builders/package/testing/machine.ts'
import { debianRoot, installLifecycle } from '../../builders/package/testing/roots.ts'

/** Where Pods mount their volumes. */
export const VOLUMES = [
  '/layers',
  '/workspace',
  '/platform',
  '/cache',
  '/report',
  '/tmp',
  '/home/cnb',
  '/tekton/home',
]

const DETECT = `#!/bin/sh
[ -f app.txt ] || exit 100
[ "$(id -u)" != 0 ] || exit 7
`

/** One layer that is cached and launched, one that is made anew; says what it sees. */
const BUILD = `#!/bin/sh
set -eu
cd "$CNB_LAYERS_DIR"
echo "greeting: \${GREETING:-none}"
echo "credentials: \${CNB_REGISTRY_AUTH:-none} $(cat "$HOME/.docker/config.json" 2>/dev/null || echo none)"
[ -f deps/of ] && echo "deps: restored" || echo "deps: new"
mkdir -p deps app-data
echo content >deps/of
printf '[types]\\nlaunch = true\\ncache = true\\nbuild = true\\n[metadata]\\nfor = "app"\\n' >deps.toml
cp "$OLDPWD/app.txt" app-data/
printf '[types]\\nlaunch = true\\n' >app-data.toml
printf '[[processes]]\\ntype = "web"\\ncommand = ["serve"]\\ndefault = true\\n' >launch.toml
`

/** A builder image as a folder: busybox, the packaged lifecycle, one buildpack, and the platforms' scripts. */
export async function builderImage(runImage: string): Promise<{ readonly path: string } & Disposable> {
  const directory = mkdtempSync(join(tmpdir(), 'platforms-'))
  const remove = () => rmSync(directory, { recursive: true, force: true })
  try {
    chmodSync(directory, 0o755)
    const path = join(directory, 'builder')
    mkdirSync(path)
    await install(path, directory)
    write(path, 'cnb/order.toml', '[[order]]\n[[order.group]]\nid = "test/app"\nversion = "1.0.0"\n')
    write(path, 'cnb/run.toml', `[[images]]\nimage = "${runImage}"\n`)
    write(path, 'cnb/stack.toml', `[run-image]\nimage = "${runImage}"\n`)
    const buildpack = 'cnb/buildpacks/test_app/1.0.0'
    write(path, `${buildpack}/buildpack.toml`, BUILDPACK)
    write(path, `${buildpack}/bin/detect`, DETECT, 0o755)
    write(path, `${buildpack}/bin/build`, BUILD, 0o755)
    const scripts = dirname(fileURLToPath(import.meta.url))
    for (const name of readdirSync(scripts))
      if (name.endsWith('.sh')) cpSync(join(scripts, name), join(path, 'platforms', name))
    for (const volume of VOLUMES) mkdirSync(join(path, volume), { recursive: true })
    return { path, [Symbol.dispose]: remove }
  } catch (error) {
    remove()
    throw error
  }
}

const BUILDPACK = `api = "0.10"
[buildpack]
id = "test/app"
version = "1.0.0"
[[targets]]
os = "linux"
[[stacks]]
id = "*"
`

async function install(image: string, directory: string): Promise<void> {
  await using registries = machine()
  await debianRoot(registries.debian, 'trixie', ['busybox-static'], image, directory)
  const applets = execFileSync(join(image, 'usr/bin/busybox'), ['--list'], { encoding: 'utf8' }).split('\n')
  mkdirSync(join(image, 'bin'), { recursive: true })
  for (const name of applets.filter((applet) => applet !== '' && applet !== 'busybox'))
    symlinkSync('../usr/bin/busybox', join(image, 'bin', name))
  const architecture = process.arch === 'x64' ? 'amd64' : 'arm64'
  const { archives } = await packageLifecycle({
    ...registries,
    clone: CLONE,
    output: join(directory, 'dist'),
    architectures: [architecture],
    emit: () => {},
  })
  execFileSync('tar', ['-xzf', archives[0]?.path ?? '', '-C', directory])
  installLifecycle(join(directory, 'lifecycle'), image)
  write(image, 'dev/null', '')
}

function write(image: string, name: string, text: string, mode = 0o644): void {
  const path = join(image, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  chmodSync(path, mode)
}
