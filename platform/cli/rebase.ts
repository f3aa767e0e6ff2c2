import { Command } from 'commander'
import { eventStream } from '../../core/event.ts'
import type { Rebased } from '../../lifecycle/phases/rebase.ts'
import type { Image } from '../../oci/image.ts'
import { familiarName, parseReference } from '../../oci/reference.ts'
import type { Program } from '../program.ts'
import { rebaseImage } from '../rebase/rebase.ts'
import { interruptible, openSession } from '../session.ts'
import { collect } from './arguments.ts'
import { bytes } from './format.ts'
import { logFormat, type Render, rendering } from './rendering.ts'

interface Options extends Render {
  readonly publish: boolean
  readonly runImage?: string
  readonly force: boolean
  readonly insecureRegistry: readonly string[]
}

/** `slipway rebase IMAGE`: another run image below the same app, in no time. */
export function rebaseCommand(program: Program): Command {
  return new Command('rebase')
    .description('put an image on the present run image without building it again')
    .argument('<image>', 'name of an image that buildpacks built')
    .option('--publish', 'the image is in the registry that its name says, not in the local store', false)
    .option('--run-image <image>', "run image to put it on (default: the default builder's)")
    .option('--force', 'allow a run image of another name, distribution or architecture', false)
    .option(
      '--insecure-registry <host>',
      'registry to speak to without verified TLS (may be repeated)',
      collect,
      [],
    )
    .option('-q, --quiet', 'print name@digest and nothing else', false)
    .option('-v, --verbose', 'print every detail', false)
    .option('--log-format <format>', 'text, or json for a line per event', logFormat, 'text')
    .action(async (image: string, options: Options) => rebase(program, image, options))
}

async function rebase(program: Program, name: string, options: Options): Promise<void> {
  const image = parseReference(name)
  const { publish, force } = options
  const runImage = options.runImage === undefined ? {} : { runImage: parseReference(options.runImage) }
  await using session = openSession(program, process.env)
  const rendered = rendering(options)
  const request = { image, publish, force, insecureRegistries: options.insecureRegistry, ...runImage }
  const rebased = await interruptible(session, () =>
    rebaseImage(request, session, eventStream(rendered.listener)),
  ).catch((error: unknown) => {
    rendered.failed(error)
    throw error
  })

  const named = `${familiarName(image)}@${rebased.image.digest}`
  if (options.quiet) return void process.stdout.write(`${named}\n`)
  if (options.logFormat === 'json') return undefined
  const next = publish ? `pull it from ${image.registry}` : `./slipway run ${name} --port 8080`
  process.stdout.write(`\n${[`Image   ${named}`, ...changeLines(rebased), `Next    ${next}`].join('\n')}\n`)
}

/** What a rebase changed, for people. */
export function changeLines({ image, previous, runImage, layers }: Rebased): string[] {
  const base = familiarName(parseReference(runImage))
  // Its history is written anew by every rebase, so digests do not tell.
  if (sameLayers(image, previous)) return [`Base    ${base}, on which it stood already: no layer changed`]
  const size = [image.manifest.config, ...image.manifest.layers].reduce((sum, { size }) => sum + size, 0)
  return [
    `Was     ${previous.digest}`,
    `Base    ${base}: ${count(layers.base)} in the place of ${count(layers.removed)}`,
    `Kept    ${count(layers.kept)} of the app, none of them read`,
    `Size    ${bytes(size)} compressed, base image included`,
  ]
}

function sameLayers(a: Image, b: Image): boolean {
  return a.config.rootfs.diff_ids.join() === b.config.rootfs.diff_ids.join()
}

function count(layers: number): string {
  return layers === 1 ? '1 layer' : `${layers} layers`
}
