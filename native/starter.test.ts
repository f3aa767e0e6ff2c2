import { builtProgram } from './testing/programs.ts'
import { starterTable } from './testing/starter-table.ts'

starterTable('the starter as kept in the repository', () => builtProgram('starter'))
