import { SlipwayError, systemCode, systemDetails, systemReason } from '../../core/error.ts'
import type { Root } from '../../core/root.ts'
import { type ApiVersion, isAtLeast, negotiateBuildpackApi } from '../../spec/api-version.ts'
import { type Analyzed, EMPTY_ANALYZED, parseAnalyzed } from '../../spec/files/analyzed.ts'
import { type Group, parseGroup } from '../../spec/files/group.ts'
import { formatModuleRef } from '../../spec/files/module-ref.ts'
import { parseRun, parseStack, type Run } from '../../spec/files/run.ts'
import type { FileSource } from '../../spec/files/source.ts'
import type { Say } from '../log/reference-log.ts'
import { act } from './failure.ts'
import { type Inputs, pathOf } from './inputs.ts'

/** Reading and writing the files between the phases, with the reference's messages. */

type Parse<T> = (text: string, source: FileSource) => T

/** A file that must be there. @throws Failure `failed to read <name> file: open <path>: no such file or directory` */
export function readRequired<T>(root: Root, path: string, name: string, parse: Parse<T>): Promise<T> {
  return act(`read ${name} file`, () => {
    const found = readOptional(root, path, parse)
    if (found !== undefined) return found
    throw new SlipwayError('LIFECYCLE_FILE_MISSING', `open ${path}: no such file or directory`, {
      subject: path,
      hint: 'The platform or an earlier phase (analyzer, detector, builder) writes it: were they run, with the same directories?',
      class: 'usage',
    })
  })
}

/** A file that may be missing. */
export function readOptional<T>(root: Root, path: string, parse: Parse<T>): T | undefined {
  const text = openText(root, path)
  return text === undefined ? undefined : parse(text, { file: path })
}

function openText(root: Root, path: string): string | undefined {
  try {
    return root.readText(pathOf(path))
  } catch (error) {
    if (!(error instanceof Error) || systemCode(error) === undefined) throw error
    throw new SlipwayError('LIFECYCLE_FILE_UNREADABLE', `open ${path}: ${systemReason(error)}`, {
      ...systemDetails(error),
      subject: path,
      class: 'infrastructure',
    })
  }
}

/** analyzed.toml; a missing one is warned of and empty (cnb-spec D-1, R-8). */
export function readAnalyzed(root: Root, path: string, say: Say): Promise<Analyzed> {
  return act('read analyzed file', () => {
    const found = readOptional(root, path, parseAnalyzed)
    if (found === undefined) say('warn', `No analyzed metadata found at path ${JSON.stringify(path)}`)
    return found ?? EMPTY_ANALYZED
  })
}

/** group.toml with every API in it checked (V-21). */
export async function readGroup(root: Root, path: string): Promise<Group> {
  const group = await readRequired(root, path, 'group', parseGroup)
  for (const element of group.group) {
    await act('set API', () => negotiateBuildpackApi(element.api, 'Buildpack', formatModuleRef(element)))
  }
  return group
}

/** run.toml, or before Platform API 0.12 stack.toml as if it were one; a missing file is empty. */
export function readRun(root: Root, inputs: Inputs, platformApi: ApiVersion, say: Say): Promise<Run> {
  return isAtLeast(platformApi, '0.12')
    ? readRunFile(root, inputs.runPath, say)
    : readImages(root, inputs.stackPath, 'stack', stackAsRun, say)
}

/** run.toml; a missing file is empty. */
export function readRunFile(root: Root, path: string, say: Say): Promise<Run> {
  return readImages(root, path, 'run', parseRun, say)
}

function readImages(root: Root, path: string, name: string, parse: Parse<Run>, say: Say): Promise<Run> {
  return act(`read ${name} file`, () => {
    const found = readOptional(root, path, parse)
    if (found === undefined) say('info', `No ${name} metadata found at path ${JSON.stringify(path)}`)
    return found ?? { images: [] }
  })
}

function stackAsRun(text: string, source: FileSource): Run {
  const { runImage } = parseStack(text, source)
  return { images: runImage.image === '' ? [] : [runImage] }
}

/**
 * Writes a file, in one step where its place allows that. What a phase that was killed in the midst of this left beside it goes first: in
 * `<layers>/config` it would become part of the image.
 * @throws Failure `failed to write <name> file: …`
 */
export function writeFile(
  root: Root,
  path: string,
  name: string,
  text: string,
  exitCode?: number,
): Promise<void> {
  return act(
    `write ${name}`,
    () => {
      root.removeUnfinished(pathOf(path))
      replace(root, path, text)
    },
    exitCode,
  )
}

/** Errors of a folder that takes no new name, and of a file that is a mount: the file itself may take the text. */
const NOT_REPLACEABLE: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'EXDEV'])

/**
 * In one step where the folder allows it. A platform may also give a file alone (a bind mount, `/dev/termination-log`, a
 * file of ours in a folder of root's), or a pipe or a device, which keep their place.
 */
function replace(root: Root, path: string, text: string): void {
  const at = pathOf(path)
  try {
    const found = root.stat(at)
    const keepsItsPlace = found !== undefined && !found.isFile() && !found.isDirectory()
    try {
      if (!keepsItsPlace) root.write(at, text)
    } catch (error) {
      if (found?.isFile() !== true || !NOT_REPLACEABLE.has(systemCode(error) ?? '')) throw error
      root.overwrite(at, text)
    }
    if (keepsItsPlace) root.overwrite(at, text)
  } catch (error) {
    if (!(error instanceof Error) || systemCode(error) === undefined) throw error
    // The system names the temporary file beside it.
    throw new SlipwayError('LIFECYCLE_FILE_UNWRITABLE', `open ${path}: ${systemReason(error)}`, {
      ...systemDetails(error),
      subject: path,
      class: 'infrastructure',
    })
  }
}
