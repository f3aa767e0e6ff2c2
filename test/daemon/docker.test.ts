import { startDocker } from './engines.ts'
import { daemonSuite } from './suite.ts'

daemonSuite('docker', () => startDocker('graph'), { asksBack: true })
