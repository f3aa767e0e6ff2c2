import { type Event, eventStream } from '../../../../core/event.ts'
import { repositoryName } from '../../../../oci/reference.ts'
import {
  type MemoryRepository,
  type MemoryStore,
  memoryRepository,
  memoryStore,
} from '../../../../oci/testing/index.ts'
import { parseApiVersion } from '../../../../spec/api-version.ts'
import type { ImageAccess } from '../../../context.ts'
import { type Rebased, type RebaseInputs, rebase } from '../../rebase.ts'
import { type Images, rebaseImages } from './images.ts'

/** The app image of the tests. */
export const APP = 'registry.example/team/app'

/** Registries in memory, one for each host, and rebases among them. */
export interface RebaseWorkbench {
  readonly images: Images
  /** What the rebases have told. */
  readonly events: readonly Event[]
  /** The repositories that the last rebase asked for. */
  readonly used: readonly MemoryRepository[]
  run(inputs?: Partial<RebaseInputs>, platformApi?: string): Promise<Rebased>
}

export function rebaseWorkbench(): RebaseWorkbench {
  const stores = new Map<string, MemoryStore>()
  const used: MemoryRepository[] = []
  const events: Event[] = []
  const access: ImageAccess = {
    repository: (reference) => {
      const store = stores.get(reference.registry) ?? memoryStore()
      stores.set(reference.registry, store)
      const repository = memoryRepository(repositoryName(reference), store)
      used.push(repository)
      return repository
    },
  }
  const emit = eventStream((event) => void events.push(event))
  return {
    images: rebaseImages(access),
    events,
    used,
    run: (inputs = {}, platformApi = '0.15') => {
      used.length = 0
      return rebase(
        { images: [APP], ...inputs },
        { emit, platformApi: parseApiVersion(platformApi), images: access },
      )
    },
  }
}
