import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { SlipwayError } from '../../core/error.ts'
import { eventStream } from '../../core/event.ts'
import { isTraced } from '../../lifecycle/telemetry/is-traced.ts'
import type { Telemetry } from '../../lifecycle/telemetry/telemetry.ts'
import { parseCompression } from '../../oci/parse-compression.ts'
import { familiarName, parseReference } from '../../oci/reference.ts'
import { buildImage } from '../build/build.ts'
import { buildEnvironment } from '../build/env.ts'
import type { BuildRequest } from '../build/request.ts'
import type { Program } from '../program.ts'
import { interruptible, openSession } from '../session.ts'
import { collect, collectWhole } from './arguments.ts'
import { logFormat, type Render, rendering } from './rendering.ts'
import { reportCollector, summaryLines } from './report.ts'

interface Options extends Render {
  readonly path: string
  readonly publish: boolean
  readonly tag: readonly string[]
  readonly env: readonly string[]
  readonly envFile: readonly string[]
  readonly defaultProcess?: string
  readonly previousImage?: string
  readonly clearCache: boolean
  readonly refreshBuilder: boolean
  readonly verify: boolean
  readonly compression: string
  readonly hostConfig: boolean
  readonly hostCredentials: boolean
  readonly network: 'host' | 'none'
  readonly insecureRegistry: readonly string[]
  readonly creationTime?: number
}

/** `slipway build IMAGE`: source in, image out. */
export function buildCommand(program: Program): Command {
  return new Command('build')
    .description('build an image from source code and keep it in the local store, or publish it')
    .argument('<image>', 'name of the image, as in hello or registry.example/team/hello:1.0')
    .option('-p, --path <folder>', 'folder of the source code', '.')
    .option('--publish', 'send the image straight to the registry that its name says', false)
    .option('-t, --tag <image>', 'one more name for the image (may be repeated)', collect, [])
    .option(
      '-e, --env <name=value>',
      'variable for the buildpacks; NAME alone passes your own value on',
      collectWhole,
      [],
    )
    .option('--env-file <file>', 'file with a variable a line', collectWhole, [])
    .option('-D, --default-process <type>', 'process that starts when none is named')
    .option('--previous-image <image>', 'image to take unchanged layers from (default: the image itself)')
    .option('--refresh-builder', 'take newer Debian packages into the default builder first', false)
    .option('--clear-cache', "forget this image's cache first", false)
    .option('--verify', 'read every layer again, also one that did not change', false)
    .option(
      '--compression <kind>',
      'how new layers are compressed: gzip or zstd, with a level as in zstd:6',
      compression,
      'gzip',
    )
    .option(
      '--no-host-config',
      "leave the machine's package-registry settings, proxies and CA out of the build",
    )
    .option('--host-credentials', 'let the build use the credentials of package registries too', false)
    .option('--network <mode>', 'network of the build: host or none', network, 'host')
    .option(
      '--insecure-registry <host>',
      'registry to speak to without verified TLS (may be repeated)',
      collect,
      [],
    )
    .option(
      '--creation-time <time>',
      'time of creation: now, or seconds since 1970 (default: a constant)',
      creationTime,
    )
    .option('-q, --quiet', 'print name@digest and nothing else', false)
    .option('-v, --verbose', 'print every detail', false)
    .option('--log-format <format>', 'text, or json for a line per event', logFormat, 'text')
    .action(async (image: string, options: Options) => build(program, image, options))
}

async function build(program: Program, image: string, options: Options): Promise<void> {
  const request = buildRequest(image, options)
  const collector = reportCollector()
  await using session = openSession(program, process.env)
  const rendered = rendering(options)
  const telemetry = await traced(program.version)
  const emit = eventStream(
    collector.listener,
    rendered.listener,
    ...(telemetry === undefined ? [] : [telemetry.listener]),
  )
  const result = await interruptible(session, () => buildImage(request, session, emit))
    .catch((error: unknown) => {
      rendered.failed(error)
      throw error
    })
    .finally(async () => {
      for (const warning of (await telemetry?.finish()) ?? []) process.stderr.write(`Warning: ${warning}\n`)
    })

  const named = `${familiarName(request.image)}@${result.digest}`
  if (options.quiet) return void process.stdout.write(`${named}\n`)
  if (options.logFormat === 'json') return undefined
  const next = request.publish
    ? `pull it from ${request.image.registry}, or ./slipway build again: unchanged layers are not sent twice`
    : `./slipway run ${request.name} --port 8080`
  process.stdout.write(
    `\n${[`Image   ${named}`, ...summaryLines(collector.report()), `Next    ${next}`].join('\n')}\n`,
  )
}

/** Spans of the build, where the environment names a collector (lifecycle/telemetry). */
async function traced(version: string): Promise<Telemetry | undefined> {
  if (!isTraced(process.env)) return undefined
  const { startTelemetry } = await import('../../lifecycle/telemetry/telemetry.ts')
  return startTelemetry({ service: 'slipway', version, env: process.env })
}

function buildRequest(image: string, options: Options): BuildRequest {
  const reference = parseReference(image)
  if (reference.digest !== undefined) {
    throw new SlipwayError(
      'BUILD_IMAGE_NAME',
      'an image that is to be built is named by a tag, not by a digest',
      {
        subject: image,
        class: 'usage',
        exitCode: 3,
      },
    )
  }
  const files = options.envFile.map((file) => ({ file, text: readText(file) }))
  return {
    name: image,
    image: reference,
    tags: options.tag.map(parseReference),
    app: resolve(options.path),
    publish: options.publish,
    env: buildEnvironment(files, options.env, process.env),
    clearCache: options.clearCache,
    refreshBuilder: options.refreshBuilder,
    verify: options.verify,
    compression: options.compression,
    hostConfig: !options.hostConfig ? 'off' : options.hostCredentials ? 'credentials' : 'settings',
    network: options.network,
    insecureRegistries: options.insecureRegistry,
    ...(options.defaultProcess === undefined ? {} : { defaultProcess: options.defaultProcess }),
    ...(options.previousImage === undefined ? {} : { previousImage: parseReference(options.previousImage) }),
    ...(options.creationTime === undefined ? {} : { created: options.creationTime }),
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new SlipwayError('BUILD_ENV_FILE', `${file} cannot be read`, {
      subject: file,
      cause,
      class: 'usage',
      exitCode: 2,
    })
  }
}

function network(value: string): string {
  if (value !== 'host' && value !== 'none') throw new InvalidArgumentError('host and none are known.')
  return value
}

function compression(value: string): string {
  try {
    parseCompression(value)
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error
    throw new InvalidArgumentError(`${error.message}: ${error.hint}.`)
  }
  return value
}

function creationTime(value: string): number {
  if (value === 'now') return Math.floor(Date.now() / 1000)
  if (!/^\d{1,12}$/.test(value)) throw new InvalidArgumentError('It is "now" or seconds since 1970.')
  return Number(value)
}
