import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Lifecycle } from './lifecycles.ts'
import { type Command, type Measured, measure } from './measure.ts'
import type { Registry } from './registry.ts'

/** A layer that the bench's buildpack makes of a prepared tree. */
export interface Layer {
  readonly tree: string
  readonly types: string
}

export interface World {
  /** On a disk, for all that a build needs. */
  readonly folder: string
  readonly registry: Registry
  readonly user: { readonly uid: number; readonly gid: number }
  /** The folder of a prepared tree, which nobody changes. */
  readonly tree: (name: string) => string
}

export type Phase = 'analyzer' | 'detector' | 'restorer' | 'builder' | 'exporter' | 'creator'

/** Where one lifecycle builds one app: its layers, its cache, its image. Every contestant of a case has one of its own. */
export class Workplace {
  readonly world: World
  readonly lifecycle: Lifecycle
  readonly image: string
  readonly cacheImage: string
  readonly app: string
  readonly #folder: string
  readonly #cache: 'directory' | 'image'
  readonly #daemon: string | undefined
  readonly #layers: readonly Layer[]
  readonly #versions = new Map<string, number>()
  #discarded = 0

  constructor(
    world: World,
    lifecycle: Lifecycle,
    options: {
      /** Unique among the workplaces of a case. */
      readonly name: string
      readonly app: string
      readonly layers: readonly Layer[]
      readonly cache?: 'directory' | 'image'
      /** The address of a container daemon that the image is for. */
      readonly daemon?: string
    },
  ) {
    this.world = world
    this.lifecycle = lifecycle
    this.app = options.app
    this.image = options.daemon === undefined ? `${world.registry.host}/bench/${options.name}` : options.name
    this.#daemon = options.daemon
    this.cacheImage = `${world.registry.host}/bench/${options.name}-cache`
    this.#folder = join(world.folder, options.name)
    this.#cache = options.cache ?? 'directory'
    this.#layers = options.layers
    for (const folder of ['layers', 'cache', 'launch-cache', 'home', 'tmp', 'trees', 'platform/env'])
      mkdirSync(this.#at(folder), { recursive: true })
    for (const { tree } of this.#layers) this.#prepareTree(tree, 1)
    this.#writeInputs()
    this.own()
  }

  /** Everything that the build may write belongs to the user that it runs as. */
  own(): void {
    if (process.getuid?.() !== 0) return
    const { uid, gid } = this.world.user
    execFileSync('chown', ['-R', `${uid}:${gid}`, this.#folder])
  }

  #at(...parts: readonly string[]): string {
    return join(this.#folder, ...parts)
  }

  #prepareTree(tree: string, version: number): void {
    const place = this.#at('trees', `${tree}@${version}`)
    execFileSync('cp', ['-a', this.world.tree(tree), place])
    writeFileSync(join(place, 'VERSION'), `${version}\n`)
    this.#versions.set(tree, 1)
  }

  /** Two versions of a layer that differ in one file; builds take one and the other in turn from now on. */
  secondVersion(tree: string): void {
    this.#prepareTree(tree, 2)
    this.own()
  }

  changeLayer(tree: string): void {
    this.#versions.set(tree, this.#versions.get(tree) === 1 ? 2 : 1)
    this.#writeInputs()
  }

  #writeInputs(): void {
    const words = this.#layers.map(({ tree, types }) => `${tree}:${this.#versions.get(tree)}:${types}`)
    writeFileSync(this.#at('platform/env/BENCH_LAYERS'), words.join(' '))
    writeFileSync(this.#at('platform/env/BENCH_TREES'), this.#at('trees'))
    writeFileSync(this.#at('run.toml'), `[[images]]\nimage = "${this.world.registry.runImage}"\n`)
    const buildpack = this.#at('buildpacks', 'bench_trees', '1.0.0')
    cpSync(join(import.meta.dirname, 'buildpack'), buildpack, { recursive: true })
    for (const program of ['detect', 'build']) chmodSync(join(buildpack, 'bin', program), 0o755)
    const order = '[[order]]\n[[order.group]]\nid = "bench/trees"\nversion = "1.0.0"\n'
    writeFileSync(this.#at('order.toml'), order)
  }

  /** As in a fresh Pod. What the buildpack moved away is back in its place. */
  emptyLayers(): void {
    const made = this.#at('layers', 'bench_trees')
    for (const name of existsSync(made) ? readdirSync(made) : []) {
      const version = join(made, name, 'VERSION')
      if (!existsSync(version)) continue
      const home = this.#at('trees', `${name}@${readFileSync(version, 'utf8').trim()}`)
      if (!existsSync(home)) renameSync(join(made, name), home)
    }
    this.#discard('layers')
    this.#make('layers')
  }

  emptyCache(): void {
    for (const cache of ['cache', 'launch-cache']) {
      this.#discard(cache)
      this.#make(cache)
    }
  }

  /**
   * Puts a folder aside until the case ends. To delete it now would not be as in a fresh Pod: ext4 takes no inode that was
   * freed a moment ago, and looks for another one at every file that is made.
   */
  #discard(name: string): void {
    const folder = this.#at(name)
    if (!existsSync(folder)) return
    mkdirSync(this.#at('discarded'), { recursive: true })
    renameSync(folder, this.#at('discarded', `${name}-${this.#discarded++}`))
  }

  #make(name: string): void {
    mkdirSync(this.#at(name))
    if (process.getuid?.() === 0)
      execFileSync('chown', [`${this.world.user.uid}:${this.world.user.gid}`, this.#at(name)])
  }

  /** Runs and measures a phase. */
  async phase(phase: Phase, ...more: readonly string[]): Promise<Measured> {
    return measure(this.command(phase, more), this.#folder, this.world.registry)
  }

  /** Phases one after another, up to and without the one that is measured next. */
  async phases(...phases: readonly Phase[]): Promise<void> {
    for (const phase of phases) await this.phase(phase)
  }

  command(phase: Phase, more: readonly string[] = []): Command {
    const { uid, gid } = this.world.user
    const ids = ['-uid', `${uid}`, '-gid', `${gid}`]
    const layers = ['-layers', this.#at('layers')]
    const app = ['-app', this.app]
    const build = ['-platform', this.#at('platform'), '-buildpacks', this.#at('buildpacks')]
    const order = ['-order', this.#at('order.toml')]
    const cache =
      this.#cache === 'image' ? ['-cache-image', this.cacheImage] : ['-cache-dir', this.#at('cache')]
    const result = ['-launcher', join(this.lifecycle.folder, 'launcher'), '-process-type', 'web']
    const { runImage } = this.world.registry
    const daemon = this.#daemon === undefined ? [] : ['-daemon']
    const launchCache = daemon.length === 0 ? [] : ['-launch-cache', this.#at('launch-cache')]
    const args = {
      analyzer: [...ids, ...layers, ...daemon, ...launchCache, '-run-image', runImage, ...more, this.image],
      detector: [...app, ...layers, ...build, ...order, ...more],
      restorer: [...ids, ...layers, ...cache, ...daemon, ...more],
      builder: [...app, ...layers, ...build, ...more],
      exporter: [
        ...[...ids, ...app, ...layers, ...cache, ...result, ...daemon, ...launchCache],
        ...['-run', this.#at('run.toml'), ...more, this.image],
      ],
      creator: [
        ...[...ids, ...app, ...layers, ...build, ...order, ...cache, ...result],
        ...['-run-image', runImage, ...more, this.image],
      ],
    }[phase]
    // Both run a buildpack's programs as who they are, and refuse to be root.
    const drop = process.getuid?.() === 0 && (phase === 'detector' || phase === 'builder')
    return {
      argv: [join(this.lifecycle.folder, phase), ...args],
      ...(drop ? { user: this.world.user } : {}),
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: this.#at('home'),
        TMPDIR: this.#at('tmp'),
        CNB_PLATFORM_API: '0.14',
        CNB_NO_COLOR: 'true',
        ...(this.#daemon === undefined ? {} : { DOCKER_HOST: this.#daemon }),
      },
    }
  }
}
