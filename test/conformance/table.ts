import type { Row } from './row.ts'
import { BUILD } from './rows/build.ts'
import { CACHE } from './rows/cache.ts'
import { DAEMON } from './rows/daemon.ts'
import { DETECTION } from './rows/detection.ts'
import { DOCKERFILES } from './rows/dockerfiles.ts'
import { ENVIRONMENT } from './rows/environment.ts'
import { EXEC_ENV } from './rows/exec-env.ts'
import { EXPORT } from './rows/export.ts'
import { EXTENDED_IMAGES } from './rows/extended-images.ts'
import { EXTENSIONS } from './rows/extensions.ts'
import { GAPS } from './rows/gaps.ts'
import { IMAGE } from './rows/image.ts'
import { LAUNCHER } from './rows/launcher.ts'
import { LAYOUT } from './rows/layout.ts'
import { OUTPUTS } from './rows/outputs.ts'
import { PHASES } from './rows/phases.ts'
import { PLAN } from './rows/plan.ts'
import { REBASE } from './rows/rebase.ts'
import { REGISTRY } from './rows/registry.ts'
import { RESTORATION } from './rows/restoration.ts'
import { RUN_IMAGE } from './rows/run-image.ts'
import { VERSIONS } from './rows/versions.ts'

/** The conformance table: all rows, in the order of the checklist's sections. */
export const TABLE: readonly Row[] = [
  ...VERSIONS,
  ...PHASES,
  ...REGISTRY,
  ...RUN_IMAGE,
  ...DETECTION,
  ...EXEC_ENV,
  ...PLAN,
  ...BUILD,
  ...OUTPUTS,
  ...ENVIRONMENT,
  ...RESTORATION,
  ...EXPORT,
  ...IMAGE,
  ...LAYOUT,
  ...CACHE,
  ...REBASE,
  ...DAEMON,
  ...LAUNCHER,
  ...EXTENSIONS,
  ...DOCKERFILES,
  ...EXTENDED_IMAGES,
  ...GAPS,
]
