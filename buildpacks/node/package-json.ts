import { type AppDirectory, parseJsonObject, userError } from '../sdk/index.ts'

/** package.json as far as a build reads it. */
export interface PackageJson {
  readonly name: string | undefined
  readonly version: string | undefined
  readonly main: string | undefined
  readonly scripts: Readonly<Record<string, string>>
  /** `engines.node` */
  readonly nodeRange: string | undefined
  readonly hasWorkspaces: boolean
  /** Everything, as it stands. */
  readonly raw: Readonly<Record<string, unknown>>
}

/** @throws SlipwayError `NODE_PACKAGE_JSON_INVALID` with line and column, or the key that is wrong. */
export function parsePackageJson(text: string): PackageJson {
  const raw = parseJsonObject(text, 'package.json', 'NODE_PACKAGE_JSON_INVALID')
  const engines = stringRecord(raw, 'engines')
  const { name, version, main, workspaces } = raw
  return {
    name: typeof name === 'string' ? name : undefined,
    version: typeof version === 'string' ? version : undefined,
    main: typeof main === 'string' && main !== '' ? main : undefined,
    scripts: stringRecord(raw, 'scripts'),
    nodeRange: engines.node,
    hasWorkspaces: workspaces !== undefined && JSON.stringify(workspaces) !== '[]',
    raw,
  }
}

/** The package.json of the app; undefined where there is none. */
export async function readPackageJson(app: AppDirectory): Promise<PackageJson | undefined> {
  const text = await app.readText('package.json')
  return text === undefined ? undefined : parsePackageJson(text)
}

/** A member that maps names to strings; old forms (an array of engines) count as absent. */
function stringRecord(raw: Readonly<Record<string, unknown>>, key: string): Readonly<Record<string, string>> {
  const value = raw[key]
  if (value === undefined || value === null || Array.isArray(value)) return {}
  const entries = typeof value === 'object' ? Object.entries(value) : undefined
  const wrong = entries?.find(([, text]) => typeof text !== 'string')?.[0]
  if (entries === undefined || wrong !== undefined) {
    const at = wrong === undefined ? key : `${key}.${wrong}`
    throw userError('NODE_PACKAGE_JSON_INVALID', `package.json: ${at} is no string`, {
      subject: `package.json: ${at}`,
      hint: `Write ${key} as { "name": "text" }.`,
    })
  }
  return Object.fromEntries(entries as [string, string][])
}
