import { createLeases } from '../leases.ts'

// A process that takes a lease and works for ever: node hold.ts DIRECTORY KEY. It says `held` when it has it.
const [directory, key] = process.argv.slice(2)
if (directory === undefined || key === undefined) throw new Error('usage: hold.ts DIRECTORY KEY')
await createLeases(directory).once(
  key,
  async () => undefined,
  () => {
    process.on('SIGTERM', () => process.exit(0))
    process.stdout.write('held\n')
    return new Promise<never>((_, fail) => setTimeout(fail, 600_000, new Error('nobody ended this process')))
  },
)
