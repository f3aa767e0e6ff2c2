export { parseDaemonAddress } from './address.ts'
export { type Daemon, daemonImages } from './daemon.ts'
export { type Engine, openEngine } from './engine.ts'
export type { LayerShelf, ShelfSink } from './shelf.ts'
