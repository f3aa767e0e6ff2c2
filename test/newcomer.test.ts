import { self } from './support/clone.ts'
import { newcomer } from './support/newcomer-suite.ts'

newcomer(self())
