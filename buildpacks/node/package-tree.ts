/** node_modules as a tree of files: what of it is for production, what in it is not the same everywhere. */
import { lstatSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { bytePath, copyTree, hostBytes, type TreeEntry, walkTree } from '../sdk/index.ts'
import type { LockFile } from './lock-file.ts'

/** Caches and scratch files of tools, directly in node_modules. */
const SCRATCH = ['.cache', '.vite', '.vite-temp', '.tmp']
const HIDDEN_LOCK = '.package-lock.json'

/** Copies node_modules without the packages that the lock file says are only for development. */
export function copyProduction(from: string, to: string, lock: LockFile): void {
  copyTree(
    from,
    to,
    productionFilter(lock, (path) => readlinkSync(hostBytes(`${from}/${path}`), 'latin1')),
  )
}

/**
 * Which entries of a node_modules directory are for production. What the lock file does not know is kept: install
 * scripts put generated code beside the packages.
 */
export function productionFilter(
  lock: LockFile,
  linkTarget: (path: string) => string,
): (entry: TreeEntry) => boolean {
  const inside = (path: string) => bytePath(path.slice('node_modules/'.length))
  const top = lock.packages.filter(({ path }) => path.startsWith('node_modules/'))
  const dev = new Set(top.filter(({ isDev }) => isDev).map(({ path }) => inside(path)))
  const scopesOf = (isDev: boolean) =>
    new Set(top.filter((one) => one.isDev === isDev).map(({ path }) => posix.dirname(inside(path))))
  // A scope's directory whose packages are all left out goes with them.
  const kept = scopesOf(false)
  const devOnlyScopes = new Set(
    [...scopesOf(true)].filter((scope) => /(^|\/)@[^/]+$/.test(scope) && !kept.has(scope)),
  )
  const scratch = new Set([...SCRATCH, HIDDEN_LOCK])
  const isLeftOut = (path: string) => scratch.has(path) || dev.has(path) || devOnlyScopes.has(path)
  const leadsToDev = (path: string) => {
    const parts = posix.join(posix.dirname(path), linkTarget(path)).split('/')
    return parts.some((_, index) => isLeftOut(parts.slice(0, index + 1).join('/')))
  }
  return ({ path, kind }) =>
    !isLeftOut(path) && !(kind === 'link' && /(^|\/)\.bin\/[^/]+$/.test(path) && leadsToDev(path))
}

/**
 * Takes out what tools wrote about addresses and this machine, so that every mirror gives the same bytes: download
 * addresses in npm's hidden lock file, and what node-gyp leaves of a compilation besides its result.
 */
export function removeTraces(modules: string, lock: LockFile): void {
  const hidden = join(modules, HIDDEN_LOCK)
  const text = readIfThere(hidden)
  if (text !== undefined) {
    const document = JSON.parse(text) as { packages?: Record<string, { resolved?: string }> }
    for (const entry of Object.values(document.packages ?? {}))
      if (/^https?:/.test(entry.resolved ?? '')) delete entry.resolved
    writeFileSync(hidden, `${JSON.stringify(document, null, 2)}\n`)
  }
  for (const { path, isLink } of lock.packages) {
    const build = join(modules, '..', path, 'build')
    if (isLink || readIfThere(join(build, 'config.gypi')) === undefined) continue
    for (const entry of [...walkTree(build)])
      if (isCompilerScratch(entry.path))
        rmSync(hostBytes(`${build}/${entry.path}`), { recursive: true, force: true })
  }
}

function isCompilerScratch(path: string): boolean {
  return (
    /(^|\/)(config\.gypi|Makefile|[^/]+\.Makefile|[^/]+\.mk|gyp-mac-tool)$/.test(path) ||
    /(^|\/)(Release|Debug)\/(\.deps|obj|obj\.target)$/.test(path)
  )
}

/** Removes the caches that build tools keep in node_modules. */
export function removeScratch(modules: string): void {
  for (const name of SCRATCH) rmSync(join(modules, name), { recursive: true, force: true })
}

/** A moment on the clock of a file system; nothing that is changed later has an earlier time. */
export function markTime(directory: string): bigint {
  const file = join(directory, '.slipway-time')
  writeFileSync(file, '')
  const { ctimeNs } = statSync(file, { bigint: true })
  rmSync(file)
  return ctimeNs
}

/** The first entry of node_modules that was changed since a moment, its top directory and scratch apart. */
export function firstChange(modules: string, since: bigint): string | undefined {
  for (const { path } of walkTree(modules, (directory) => !SCRATCH.includes(directory))) {
    if (lstatSync(hostBytes(`${modules}/${path}`), { bigint: true }).ctimeNs > since) return path
  }
  return undefined
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
