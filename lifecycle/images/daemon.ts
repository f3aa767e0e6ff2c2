import { type Daemon, daemonImages, type Engine, type LayerShelf } from '../../oci/daemon/index.ts'
import { encoded } from '../../oci/digest.ts'
import { type ImageAccess, REFERENCE_NAMES } from '../context.ts'

/**
 * Images in a container daemon (platform spec, `-daemon`; cnb-spec SV-3). In the files between the phases an image is its
 * ID without `sha256:`, which a daemon takes for a name like any other.
 * @param temporary a folder of this machine
 * @param shelf the launch cache
 */
export function imagesInDaemon(
  engine: Engine,
  temporary: string,
  shelf?: LayerShelf,
): ImageAccess & Disposable {
  const daemon: Daemon = daemonImages(engine, { temporary, ...(shelf === undefined ? {} : { shelf }) })
  return {
    repository: daemon.repository,
    naming: {
      ...REFERENCE_NAMES,
      digestName: (_, id) => encoded(id),
      identity: 'image-id',
    },
    [Symbol.dispose]: daemon[Symbol.dispose],
  }
}
