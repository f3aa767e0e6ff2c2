import { SlipwayError } from '../core/error.ts'

declare const brand: unique symbol

/** The ID of a buildpack or extension (`paketo-buildpacks/nodejs`); as a directory name only through {@link escapeId}. */
export type BuildpackId = string & { readonly [brand]: 'BuildpackId' }

/** The name of a buildpack's layer, safe as one component of a path. Text: {@link fileNameOf} gives its bytes. */
export type LayerName = string & { readonly [brand]: 'LayerName' }

/** The type of a process (`web`), safe as one component of a path. */
export type ProcessType = string & { readonly [brand]: 'ProcessType' }

const ID = /^[A-Za-z0-9._/-]+$/
/** They would collide with what stands in the layers directory (buildpack spec; `sbom` since 0.8, `generated` since 0.9). */
const RESERVED_IDS = new Set(['app', 'config', 'generated', 'sbom'])
const RESERVED_LAYERS = new Set(['build', 'launch', 'store'])

/**
 * Parses an ID (cnb-spec §2.11): letters, digits, `.`, `/`, `-`, and `_`, which the spec leaves out but packages in the wild use.
 * @throws SlipwayError `SPEC_NAME_INVALID` for other characters, a reserved name, `.` and `..`.
 */
export function parseBuildpackId(text: string): BuildpackId {
  if (!ID.test(text) || isDots(text)) {
    throw invalid('buildpack ID', text, 'An ID has letters, digits and the characters ./-')
  }
  if (RESERVED_IDS.has(text)) throw invalid('buildpack ID', text, `The name ${text} is reserved`)
  return text as BuildpackId
}

/** The name of the directory of an ID: `/` becomes `_`. */
export function escapeId(id: BuildpackId): string {
  return id.replaceAll('/', '_')
}

/**
 * Parses a layer's name (buildpack spec: not `build`, `launch`, `store`).
 * @throws SlipwayError `SPEC_NAME_INVALID` also for what is no single component of a path.
 */
export function parseLayerName(text: string): LayerName {
  if (!isPathComponent(text)) throw invalid('layer name', text, 'A layer is one directory')
  if (RESERVED_LAYERS.has(text)) throw invalid('layer name', text, `The name ${text} is reserved`)
  return text as LayerName
}

/**
 * Parses a process type as the reference does at export: neither empty nor with one of `/ > < : | & \` (cnb-spec AMB-22).
 * @throws SlipwayError `SPEC_NAME_INVALID`
 */
export function parseProcessType(text: string): ProcessType {
  if (!isPathComponent(text) || /[/><:|&\\]/.test(text)) {
    throw invalid('process type', text, 'A process type has letters, digits and the characters ._-')
  }
  return text as ProcessType
}

/** Whether a process type has only the characters that the spec names. Others work, with a warning. */
export function isPortableProcessType(type: string): boolean {
  return /^[A-Za-z0-9._-]+$/.test(type)
}

/**
 * Checks a version before it becomes a directory name. The spec wants `X.Y.Z`; any single component of a path is taken.
 * @throws SlipwayError `SPEC_NAME_INVALID`
 */
export function parseBuildpackVersion(text: string): string {
  if (!isPathComponent(text)) throw invalid('buildpack version', text, 'A version looks like 1.2.3')
  return text
}

/** The bytes of a name as a latin1 string, the form of file names in paths. */
export function fileNameOf(name: string): string {
  return Buffer.from(name, 'utf8').toString('latin1')
}

/** The text of a file name that is held as latin1 bytes; what is no UTF-8 becomes U+FFFD, as in Go's JSON. */
export function nameOfFile(fileName: string): string {
  return Buffer.from(fileName, 'latin1').toString('utf8')
}

const LONGEST_COMPONENT = 255

function isPathComponent(text: string): boolean {
  return (
    text !== '' &&
    !isDots(text) &&
    !text.includes('/') &&
    !text.includes('\0') &&
    Buffer.byteLength(text) <= LONGEST_COMPONENT
  )
}

function isDots(text: string): boolean {
  return text === '.' || text === '..'
}

function invalid(what: string, text: string, hint: string): SlipwayError {
  const shown = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
  return new SlipwayError('SPEC_NAME_INVALID', `invalid ${what} ${shown}`, {
    subject: text,
    hint: `${hint}.`,
    class: 'buildpack',
  })
}
