import type { Lifecycle } from './lifecycles.ts'

/** What a command says of itself, by command and Platform API. */
export type Usages = Readonly<Record<string, Usage>>

export interface Usage {
  readonly code: number | null
  /** What stands behind each flag. */
  readonly flags: Readonly<Record<string, string>>
}

const COMMANDS = ['analyzer', 'detector', 'restorer', 'builder', 'exporter', 'creator']
const PLATFORM_APIS = ['0.7', '0.8', '0.9', '0.10', '0.11', '0.12', '0.13', '0.14', '0.15']

export async function usages(lifecycle: Lifecycle): Promise<Usages> {
  const found: Record<string, Usage> = {}
  for (const command of COMMANDS) {
    for (const platformApi of PLATFORM_APIS) {
      const { code, stderr } = await lifecycle.run(command, ['-h'], { CNB_PLATFORM_API: platformApi })
      const [, ...flags] = stderr.split(/^ {2}-/m)
      found[`${command} ${platformApi}`] = {
        code,
        flags: Object.fromEntries(
          flags.map((text) => {
            const [, name = '', rest = ''] = /^([a-z-]+)(.*)$/s.exec(text) ?? []
            return [name, rest.trim()]
          }),
        ),
      }
    }
  }
  return found
}

/** Ours alone: what the reference has no flag for. */
export const OUR_FLAGS: ReadonlySet<string> = new Set([
  'log-format',
  'verify',
  'compression',
  'build-timeout',
  'detect-timeout',
  'detect-concurrency',
])
