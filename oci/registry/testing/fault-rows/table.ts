import { HOSTILE } from './hostile.ts'
import { LINES } from './lines.ts'
import { QUIRKS } from './quirks.ts'
import type { FaultGroup } from './row.ts'
import { TOKENS } from './tokens.ts'

export const FAULTS: readonly FaultGroup[] = [LINES, QUIRKS, TOKENS, HOSTILE]
