/** `npm run conformance:write`: docs/conformance.md from the table. */
import { writeFileSync } from 'node:fs'
import { conformanceDocument } from './document.ts'
import { TABLE } from './table.ts'

writeFileSync(new URL('../../docs/conformance.md', import.meta.url), conformanceDocument(TABLE))
