import { type FileSource, readDocument } from './source.ts'

/**
 * What an exec.d program writes to file descriptor 3 (cnb-spec LE-4): variables to set, in the order of the text.
 * @throws SlipwayError `SPEC_TOML_SYNTAX`, `SPEC_FILE_INVALID` for a value that is no string
 */
export function parseExecDOutput(text: string, source: FileSource): ReadonlyMap<string, string> {
  const document = readDocument(text, source)
  return new Map(document.keys.map((key) => [key, document.string(key)]))
}
