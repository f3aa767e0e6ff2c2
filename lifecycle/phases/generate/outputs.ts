import { type ContainerPath, joinPath } from '../../../core/container-path.ts'
import { SlipwayError } from '../../../core/error.ts'
import type { Emit } from '../../../core/event.ts'
import type { Root } from '../../../core/root.ts'
import { type DockerfileFacts, type DockerfileKind, readDockerfile } from '../../../spec/dockerfile/rules.ts'
import { parseExtendConfig } from '../../../spec/files/extend-config.ts'
import { type BuildpackId, nameOfFile } from '../../../spec/names.ts'

/** A Dockerfile that an extension left. */
export interface GeneratedDockerfile extends DockerfileFacts {
  /** Its extension. */
  readonly extension: BuildpackId
  readonly kind: DockerfileKind
  readonly file: ContainerPath
}

const EXTEND_CONFIG = 'extend-config.toml'
const SHARED_CONTEXT = 'context'
const CONTEXTS: readonly string[] = ['context.build', 'context.run']
const MAX_FILE_BYTES = 1 << 20

/**
 * Reads and checks what an extension left in its output directory (cnb-spec IX-16, §8.3): extend-config.toml, Dockerfiles,
 * contexts. Other files are its own.
 * @throws SlipwayError `SPEC_…` and `GENERATE_OUTPUT_INVALID`
 */
export function readOutputs(
  directory: ContainerPath,
  extension: BuildpackId,
  { root, emit }: { readonly root: Root; readonly emit: Emit },
): readonly GeneratedDockerfile[] {
  const config = joinPath(directory, EXTEND_CONFIG)
  const configText = readFile(root, config)
  if (configText !== undefined)
    parseExtendConfig(configText, { file: nameOfFile(config), class: 'buildpack' })
  const dockerfiles = (['run', 'build'] as const).flatMap((kind): GeneratedDockerfile[] => {
    const file = joinPath(directory, `${kind}.Dockerfile`)
    const text = readFile(root, file)
    if (text === undefined) return []
    const facts = factsOf(kind, text, file, extension)
    for (const message of facts.warnings) emit({ type: 'warning', message })
    return [{ ...facts, extension, kind, file }]
  })
  requireOneContext(directory, root)
  return dockerfiles
}

/** The file that goes with Dockerfiles wherever they are put. */
export function extendConfigOf(directory: ContainerPath, root: Root): string | undefined {
  return readFile(root, joinPath(directory, EXTEND_CONFIG))
}

function factsOf(kind: DockerfileKind, text: string, file: ContainerPath, extension: BuildpackId) {
  try {
    return readDockerfile(kind, text, { file: nameOfFile(file), class: 'buildpack' })
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error
    throw new SlipwayError(
      error.code,
      `failed to parse ${kind}.Dockerfile for extension ${extension}: ${error.message}`,
      { subject: nameOfFile(file), class: error.class },
    )
  }
}

function readFile(root: Root, file: ContainerPath): string | undefined {
  const state = root.stat(file)
  if (state === undefined) return undefined
  if (!state.isFile()) throw invalid(file, 'is no file')
  if (state.size > MAX_FILE_BYTES) throw invalid(file, `is larger than ${MAX_FILE_BYTES} bytes`)
  return root.readText(file)
}

/** One context for both images, or one for each. */
function requireOneContext(directory: ContainerPath, root: Root): void {
  const isDirectory = (name: string) => root.stat(joinPath(directory, name))?.isDirectory() ?? false
  if (!isDirectory(SHARED_CONTEXT) || !CONTEXTS.some(isDirectory)) return
  throw invalid(directory, 'image-specific context dir is provided together with a shared context')
}

function invalid(file: ContainerPath, reason: string): SlipwayError {
  return new SlipwayError('GENERATE_OUTPUT_INVALID', `${nameOfFile(file)}: ${reason}`, {
    subject: nameOfFile(file),
    class: 'buildpack',
  })
}
