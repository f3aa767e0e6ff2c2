import type { FileSource } from '../files/source.ts'
import { dockerfileInvalid, type Instruction, parseDockerfile } from './parse.ts'

/** What an extension's Dockerfile is for: to add to the build image, or to the run image. */
export type DockerfileKind = 'build' | 'run'

/** What the lifecycle needs to know of an extension's Dockerfile (image extension spec; cnb-spec §8.3). */
export interface DockerfileFacts {
  /** The image that the build goes on with; absent where it is the one that it began with. */
  readonly base?: string
  /** Whether something stands behind FROM. */
  readonly extends: boolean
  /** Instructions that an extension should not use (IX-22), as the log tells of them. */
  readonly warnings: readonly string[]
}

const BASE_IMAGE = 'base_image'
const BASE_IMAGE_REFERENCE = `\${${BASE_IMAGE}}`

/** IX-22 */
const RECOMMENDED: ReadonlySet<string> = new Set(
  'FROM ADD ARG COPY ENV LABEL RUN SHELL USER WORKDIR'.split(' '),
)

/**
 * Reads an extension's Dockerfile: one stage, for the build image on `${base_image}` (IX-20), for the run image on that
 * or on another image by its name (IX-21).
 * @throws SlipwayError `SPEC_DOCKERFILE_INVALID`
 */
export function readDockerfile(kind: DockerfileKind, text: string, source: FileSource): DockerfileFacts {
  const instructions = parseDockerfile(text, source)
  const invalid = (line: number, reason: string) => dockerfileInvalid(line, reason, source)
  const stage = instructions.findIndex(({ name }) => name === 'FROM')
  const preamble = stage < 0 ? instructions : instructions.slice(0, stage)
  for (const { name, line } of preamble) {
    if (name !== 'ARG') throw invalid(line, `${name} before the first FROM`)
  }
  const from = instructions[stage]
  if (from === undefined) throw invalid(1, `${kind}.Dockerfile should have at least one stage`)
  const commands = instructions.slice(stage + 1)
  const second = commands.find(({ name }) => name === 'FROM')
  if (second !== undefined)
    throw invalid(second.line, `${kind}.Dockerfile is not permitted to use multistage build`)
  const args = preamble.map((instruction) => argumentName(instruction, source))
  const base = baseOf(from, source)
  if (kind === 'build') requireBaseImage(args, base, from, source)
  return {
    ...(base === BASE_IMAGE_REFERENCE ? {} : { base }),
    extends: commands.length > 0,
    warnings: commands
      .filter(({ name }) => !RECOMMENDED.has(name))
      .map(({ name, line }) => `${kind}.Dockerfile command ${name} on line ${line} is not recommended`),
  }
}

/** IX-20 */
function requireBaseImage(
  args: readonly string[],
  base: string,
  { line }: Instruction,
  source: FileSource,
): void {
  if (args.length !== 1 || args[0] !== BASE_IMAGE) {
    throw dockerfileInvalid(
      1,
      `build.Dockerfile did not start with required ARG command: ARG ${BASE_IMAGE}`,
      source,
    )
  }
  if (base !== BASE_IMAGE_REFERENCE) {
    throw dockerfileInvalid(
      line,
      `build.Dockerfile did not contain required FROM ${BASE_IMAGE_REFERENCE} command`,
      source,
    )
  }
}

/** `name` or `name=value`; of several in one ARG the first. */
function argumentName({ argument, line }: Instruction, source: FileSource): string {
  const [name = ''] = argument.split(/[=\s]/, 1)
  if (name === '') throw dockerfileInvalid(line, 'ARG names can not be blank', source)
  return name
}

function baseOf({ argument, line }: Instruction, source: FileSource): string {
  const words = argument.split(/\s+/)
  const [base = '', as, name = ''] = words
  if (words.length !== 1 && (words.length !== 3 || as?.toLowerCase() !== 'as')) {
    throw dockerfileInvalid(line, 'FROM requires either one or three arguments', source)
  }
  if (words.length === 3 && !/^[a-z][a-z0-9-_.]*$/i.test(name)) {
    throw dockerfileInvalid(line, `invalid name for build stage: ${JSON.stringify(name)}`, source)
  }
  if (base !== BASE_IMAGE_REFERENCE && base.includes('$')) {
    throw dockerfileInvalid(
      line,
      `FROM takes ${BASE_IMAGE_REFERENCE} or the name of an image, not ${base}`,
      source,
    )
  }
  return base
}
