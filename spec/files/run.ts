import type { Reader } from '../decode.ts'
import { struct, type TomlStruct, writeToml } from '../toml/write.ts'
import { type FileSource, readDocument } from './source.ts'

/** A run image and other places it can be had from. */
export interface RunImageMirrors {
  /** Empty where none is named. */
  readonly image: string
  readonly mirrors: readonly string[]
}

/** run.toml (Platform API 0.12): the run images that a builder offers, the first one by default. */
export interface Run {
  readonly images: readonly RunImageMirrors[]
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseRun(text: string, source: FileSource): Run {
  return { images: readDocument(text, source).tables('images').map(readRunImageMirrors) }
}

export function writeRun(run: Run): string {
  return writeToml(struct({ images: run.images.map(runImageMirrorsStruct) }))
}

/** stack.toml (Platform API before 0.12). */
export interface Stack {
  readonly runImage: RunImageMirrors
}

/** @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` */
export function parseStack(text: string, source: FileSource): Stack {
  const table = readDocument(text, source).table('run-image')
  return { runImage: table === undefined ? NO_RUN_IMAGE : readRunImageMirrors(table) }
}

export function writeStack(stack: Stack): string {
  return writeToml(struct({ 'run-image': runImageMirrorsStruct(stack.runImage) }))
}

export const NO_RUN_IMAGE: RunImageMirrors = { image: '', mirrors: [] }

export function readRunImageMirrors(table: Reader): RunImageMirrors {
  return { image: table.text('image'), mirrors: table.strings('mirrors') ?? [] }
}

export function runImageMirrorsStruct(image: RunImageMirrors): TomlStruct {
  return struct(runImageMirrorsFields(image))
}

/** The fields that the reference embeds in other structs; empty ones are left out. */
export function runImageMirrorsFields(image: RunImageMirrors) {
  return {
    image: image.image === '' ? undefined : image.image,
    mirrors: image.mirrors.length === 0 ? undefined : image.mirrors,
  }
}
