import { launcherEnvironmentTable } from './testing/launcher-environment-table.ts'
import { launcherProcessTable } from './testing/launcher-process-table.ts'
import { builtProgram } from './testing/programs.ts'

launcherProcessTable('the launcher as kept in the repository', () => builtProgram('launcher'))
launcherEnvironmentTable('the launcher as kept in the repository', () => builtProgram('launcher'))
