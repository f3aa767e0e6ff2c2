import { test } from 'vitest'
import { otherUser } from './support/clone.ts'
import { newcomer } from './support/newcomer-suite.ts'

// Root's tests are an ordinary user's too; an ordinary user cannot become root, and has his own in newcomer.test.ts.
const other = otherUser()
if (other !== undefined) newcomer(other)
else test('there is no other user to be', () => undefined)
