import { spawnSync } from 'node:child_process'
import { arch } from 'node:os'
import { join, resolve } from 'node:path'
import type { Case, Fact } from '../case.ts'
import { median } from '../measure.ts'
import { Workplace } from '../workplace.ts'

const RUNS = 41
const AIM = 1.35

/** From exec to exit of a phase that needs no registry, against `node -e 0` of the same Node, in turn. */
export const START: Case = {
  name: 'start',
  async run({ world, lifecycles }) {
    const [ours, reference] = lifecycles
    if (ours === undefined) return []
    const node = resolve(import.meta.dirname, '../../node_modules', `node-linux-${arch()}`, 'bin/node')
    const place = new Workplace(world, ours, { name: 'start', app: world.tree('little'), layers: [] })
    const detection = place.command('detector')
    const commands = {
      node: { argv: [node, '-e', '0'] },
      version: { argv: [join(ours.folder, 'detector'), '-version'] },
      detection,
      ...(reference === undefined
        ? {}
        : {
            'reference version': { argv: [join(reference.folder, 'detector'), '-version'] },
            'reference detection': {
              ...detection,
              argv: [join(reference.folder, 'detector'), ...detection.argv.slice(1)],
            },
          }),
    }
    const times = new Map(Object.keys(commands).map((name) => [name, [] as number[]]))
    for (let run = 0; run < RUNS; run++)
      for (const [name, { argv }] of Object.entries(commands))
        times
          .get(name)
          ?.push(timed(argv, detection.env, name.endsWith('detection') ? detection.user : undefined))
    const of = (name: string) => median(times.get(name) ?? [])
    const show = (name: string) => (times.has(name) ? `${of(name).toFixed(1)} ms` : undefined)
    const fact = (title: string, name: string, aim: number | undefined): Fact => ({
      title,
      aim: aim === undefined ? '' : `≤ ${aim} × \`node -e 0\``,
      ours: `${show(name)}, ${(of(name) / of('node')).toFixed(2)} × \`node -e 0\` (${show('node')})`,
      ...(reference === undefined ? {} : { reference: show(`reference ${name}`) ?? '' }),
      isMet: aim === undefined || of(name) <= aim * of('node'),
    })
    return [
      fact('start of a phase that needs no registry (`detector -version`)', 'version', AIM),
      fact('a whole detection with one buildpack', 'detection', undefined),
    ]
  },
}

function timed(
  [program = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
  user: { readonly uid: number; readonly gid: number } | undefined,
): number {
  const start = performance.now()
  const { status, stdout } = spawnSync(program, args, { ...user, cwd: '/', env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stdout}`)
  return performance.now() - start
}
