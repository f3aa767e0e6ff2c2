/** `npm run errors:write`: docs/errors.md from the sources. */
import { writeFileSync } from 'node:fs'
import { errorCodes } from './codes.ts'
import { errorsDocument } from './document.ts'

writeFileSync(new URL('../../docs/errors.md', import.meta.url), errorsDocument(errorCodes()))
