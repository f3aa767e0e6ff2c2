import { constants } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'
import { eventStream } from '../../core/event.ts'
import { parseReference } from '../../oci/reference.ts'
import { buildEnvironment } from '../build/env.ts'
import type { Program } from '../program.ts'
import { runImage } from '../run/run.ts'
import { openSession } from '../session.ts'
import { collectWhole } from './arguments.ts'
import { progressDisplay } from './progress.ts'

interface Options {
  readonly port?: number
  readonly process?: string
  readonly env: readonly string[]
}

/** `slipway run IMAGE`: starts an image of the local store, without a container engine. Ends as its process ends. */
export function runCommand(program: Program): Command {
  return new Command('run')
    .description('start an image of the local store, in the sandbox that builds run in; Ctrl-C ends it')
    .argument('<image>', 'name of the image')
    .argument('[args...]', 'arguments for its process')
    .option('--port <port>', 'port for the application to listen on (PORT)', port)
    .option('--process <type>', 'process type to start instead of the default one')
    .option('-e, --env <name=value>', 'variable for the process (may be repeated)', collectWhole, [])
    .action(async (image: string, args: string[], options: Options) => {
      await using session = openSession(program, process.env)
      const display = progressDisplay({
        write: (text) => void process.stderr.write(text),
        columns: undefined,
        color: false,
      })
      if (options.port !== undefined)
        process.stderr.write(`starting ${image}: http://127.0.0.1:${options.port}\n`)
      const status = await runImage(
        {
          image: parseReference(image),
          args,
          env: buildEnvironment([], options.env, process.env),
          ...(options.port === undefined ? {} : { port: options.port }),
          ...(options.process === undefined ? {} : { process: options.process }),
        },
        session,
        eventStream(display),
      )
      process.exitCode =
        status.kind === 'exited'
          ? status.code
          : status.kind === 'signalled'
            ? 128 + (constants.signals[status.signal as NodeJS.Signals] ?? 0)
            : 1
    })
}

function port(value: string): number {
  const number = Number(value)
  if (!/^\d{1,5}$/.test(value) || number < 1 || number > 65_535) {
    throw new InvalidArgumentError('A port is a number from 1 to 65535.')
  }
  return number
}
