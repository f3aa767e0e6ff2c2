/** What other rooms' tests need of images. */
export {
  type MemoryRepository,
  type MemoryStore,
  memoryRepository,
  memoryStore,
} from './memory-repository.ts'
export { type RandomImageOptions, randomImage, randomNumbers } from './random-image.ts'
export { validateImage } from './validate-image.ts'
