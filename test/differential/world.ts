import { chmodSync, lchownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  type BuildpackParts,
  type ExtensionParts,
  ORDINARY_USER,
  type TestPlace,
  testPlaceAt,
} from '../../lifecycle/commands/testing/lifecycle.ts'

/** What a build starts from: files by their path below the place, and buildpacks by ID. */
export interface World {
  readonly order: string
  readonly buildpacks: Readonly<Record<string, BuildpackParts>>
  readonly extensions?: Readonly<Record<string, ExtensionParts>>
  readonly files: Readonly<Record<string, string>>
}

/** What stands for the directory of every place: of the same length, so that no byte of a tar but these depends on it. */
export const PLACE = '/tmp/differential-000000'

/** Who runs the phases and owns what they make. */
export const USER = process.getuid?.() === 0 ? ORDINARY_USER : (process.getuid?.() ?? ORDINARY_USER)
export const GROUP = process.getuid?.() === 0 ? ORDINARY_USER : (process.getgid?.() ?? ORDINARY_USER)

/**
 * Where places are made. Above the layers directory ours writes into a tar what a builder image has, root's 0755
 * (docs/decisions/007), the reference what it finds: real equality of bytes takes a parent like that, which is root's.
 */
export type Parent = '/tmp' | '/opt'

/** Makes it in a directory of its own, owned by whom the phases run as. */
export function makeWorld(world: World, parent: Parent): TestPlace {
  process.umask(0o022)
  const place = testPlaceAt(mkdtempSync(`${parent}/differential-`))
  for (const name of ['cache', 'sbom']) mkdirSync(place.path(name))
  chmodSync(place.directory, 0o755)
  for (const [id, parts] of Object.entries(world.buildpacks)) place.buildpack(id, parts)
  for (const [id, parts] of Object.entries(world.extensions ?? {})) place.extension(id, parts)
  for (const [path, text] of Object.entries(world.files)) place.write(path, text)
  place.write('order.toml', world.order)
  place.write('launcher', 'any bytes do: nobody starts it\n', 0o755)
  for (const format of ['cdx', 'spdx', 'syft']) {
    place.write(`sbom/launcher.sbom.${format}.json`, `{"of":"launcher","format":"${format}"}\n`)
  }
  for (const name of ['app', 'layers']) chmodSync(place.path(name), 0o755)
  for (const name of readdirSync(place.directory)) own(place.path(name))
  return place
}

/** What the test made belongs to the user, also where the test is root. */
export function own(path: string): void {
  if (process.getuid?.() !== 0) return
  lchownSync(path, USER, GROUP)
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) own(join(path, name))
}
