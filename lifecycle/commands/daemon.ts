import { tmpdir } from 'node:os'
import { SlipwayError } from '../../core/error.ts'
import { fileNameOf } from '../../spec/names.ts'
import type { ImageAccess } from '../context.ts'
import type { CommandContext } from './command.ts'
import { act } from './failure.ts'

/** Images in the container daemon that `DOCKER_HOST` names. */
export interface DaemonAccess extends AsyncDisposable {
  readonly images: ImageAccess
  /** While nothing is asked of it: it may close what seems idle, and its socket may not be open to us any more. */
  keepAwake(): Promise<void>
}

/**
 * Opens the container daemon (platform spec, `-daemon`), before privileges are dropped: its socket is root's. Phases that
 * need no daemon never load this module.
 * @throws Failure `failed to initialize docker client: …` (exit 1)
 */
export function openDaemon({ inputs, env, emit }: CommandContext): Promise<DaemonAccess> {
  return act('initialize docker client', async () => {
    if ((env.DOCKER_TLS_VERIFY ?? '') !== '') throw withoutTls()
    const { openEngine, parseDaemonAddress } = await import('../../oci/daemon/index.ts')
    const { imagesInDaemon } = await import('../images/daemon.ts')
    const { launchCache } = await import('../cache/launch.ts')
    const shelf =
      inputs.launchCacheDir === '' ? undefined : launchCache(fileNameOf(inputs.launchCacheDir), emit)
    const engine = await openEngine(parseDaemonAddress(env.DOCKER_HOST ?? ''))
    const images = imagesInDaemon(engine, tmpdir(), shelf)
    return {
      images,
      keepAwake: engine.keepAwake,
      [Symbol.asyncDispose]: async () => images[Symbol.dispose](),
    }
  })
}

function withoutTls(): SlipwayError {
  return new SlipwayError('LIFECYCLE_DAEMON_TLS', 'a container daemon behind TLS is not supported', {
    subject: 'DOCKER_TLS_VERIFY',
    hint: 'Name a socket or a plain tcp:// address in DOCKER_HOST.',
    class: 'usage',
  })
}
