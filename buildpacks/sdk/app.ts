import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../../core/error.ts'

/** The app's source, which is also the current directory of bin/detect and bin/build. */
export interface AppDirectory {
  readonly path: string
  /** The text of a file, undefined where there is none. */
  readText(name: string): Promise<string | undefined>
  isFile(name: string): Promise<boolean>
  isDirectory(name: string): Promise<boolean>
  /** Names in a directory, sorted; empty where there is none. */
  list(name?: string): Promise<readonly string[]>
}

const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ELOOP'])

export function appDirectory(path: string): AppDirectory {
  const orAbsent = async <T>(read: Promise<T>): Promise<T | undefined> =>
    read.catch((error: unknown) => {
      if (ABSENT.has(systemCode(error) ?? '')) return undefined
      throw error
    })
  return {
    path,
    readText: (name) => orAbsent(readFile(join(path, name), 'utf8')),
    isFile: async (name) => (await orAbsent(stat(join(path, name))))?.isFile() ?? false,
    isDirectory: async (name) => (await orAbsent(stat(join(path, name))))?.isDirectory() ?? false,
    list: async (name = '.') => ((await orAbsent(readdir(join(path, name)))) ?? []).sort(),
  }
}
