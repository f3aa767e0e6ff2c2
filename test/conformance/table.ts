import type { Row } from './row.ts'
import { BUILD } from './rows/build.ts'
import { DETECTION } from './rows/detection.ts'
import { ENVIRONMENT } from './rows/environment.ts'
import { EXPORT } from './rows/export.ts'
import { GAPS } from './rows/gaps.ts'
import { IMAGE } from './rows/image.ts'
import { LAUNCHER } from './rows/launcher.ts'
import { OUTPUTS } from './rows/outputs.ts'
import { PHASES } from './rows/phases.ts'
import { PLAN } from './rows/plan.ts'
import { REBASE } from './rows/rebase.ts'
import { REGISTRY } from './rows/registry.ts'
import { RESTORATION } from './rows/restoration.ts'
import { VERSIONS } from './rows/versions.ts'

/** The conformance table: all rows, in the order of the checklist's sections. */
export const TABLE: readonly Row[] = [
  ...VERSIONS,
  ...PHASES,
  ...REGISTRY,
  ...DETECTION,
  ...PLAN,
  ...BUILD,
  ...OUTPUTS,
  ...ENVIRONMENT,
  ...RESTORATION,
  ...EXPORT,
  ...IMAGE,
  ...REBASE,
  ...LAUNCHER,
  ...GAPS,
]
