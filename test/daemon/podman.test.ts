import { startPodman } from './engines.ts'
import { daemonSuite } from './suite.ts'

daemonSuite('podman', startPodman, { asksBack: false })
