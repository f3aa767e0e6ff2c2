import { SlipwayError } from '../../core/error.ts'
import { readTable } from '../../spec/decode.ts'
import { EXIT_CODES } from '../../spec/exit-codes.ts'
import { type Process, readProcess } from '../../spec/files/process.ts'
import { parseToml } from '../../spec/toml/parse.ts'

/** What the launcher reads of metadata.toml: nothing else in the file can keep an app from starting. */
export interface LaunchMetadata {
  readonly processes: readonly Process[]
  readonly buildpacks: readonly { readonly id: string; readonly api: string }[]
}

/** @throws SlipwayError with exit code 1, as in the reference */
export function readLaunchMetadata(text: string, file: string): LaunchMetadata {
  try {
    const document = readTable(parseToml(text, { file }), { file })
    return {
      processes: document.tables('processes').map((table) => readProcess(table, 'buildpack-id')),
      buildpacks: document
        .tables('buildpacks')
        .map((table) => ({ id: table.text('id'), api: table.text('api') })),
    }
  } catch (error) {
    throw error instanceof SlipwayError ? error.withExitCode(EXIT_CODES.generic) : error
  }
}
