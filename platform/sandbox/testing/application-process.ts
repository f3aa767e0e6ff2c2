/** A process of its own around {@link runApplication}, for tests of signals: `node application-process.ts OPTIONS SPEC`. */
import { SlipwayError } from '../../../core/error.ts'
import { runApplication } from '../application.ts'

const [options, spec] = process.argv.slice(2).map((argument) => JSON.parse(argument))
const result = await runApplication(options, spec).catch((error: unknown) => {
  if (!(error instanceof SlipwayError)) throw error
  return { code: error.code, message: error.message, hint: error.hint }
})
process.stderr.write(JSON.stringify(result))
