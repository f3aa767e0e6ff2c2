import { type AppDirectory, type DetectContext, type DetectResult, fail, pass } from '../sdk/index.ts'
import { readPackageJson } from './package-json.ts'

const NAMES = ['node', 'npm', 'node_modules']
const SCRIPTS = ['server.js', 'index.js', 'app.js', 'main.js']

/** Takes apps with a package.json. What is wrong in one is an error here already, so that it is seen. */
export async function detect({ app }: DetectContext): Promise<DetectResult> {
  if ((await readPackageJson(app)) === undefined) return fail(await whyNot(app))
  return pass({ provides: NAMES, requires: NAMES })
}

/** Why an app is none, with what its author may have meant. */
async function whyNot(app: AppDirectory): Promise<string> {
  for (const script of SCRIPTS)
    if (await app.isFile(script)) return `there is a ${script} but no package.json: "npm init -y" writes one`
  for (const name of await app.list()) {
    if (name !== 'node_modules' && !name.startsWith('.') && (await app.isFile(`${name}/package.json`)))
      return `no package.json here, but one in ${name}/: build that directory`
  }
  return 'there is no package.json'
}
