import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** What the reference answered, one file for each scenario. */

const fileOf = (name: string) => fileURLToPath(new URL(`recorded/${name}.json`, import.meta.url))

/** @throws where nothing has been recorded under the name: see record.ts */
export function readRecord<T>(name: string): T {
  return JSON.parse(readFileSync(fileOf(name), 'utf8')) as T
}

export function writeRecord(name: string, answered: unknown): void {
  writeFileSync(fileOf(name), `${JSON.stringify(answered, null, 1)}\n`)
}
