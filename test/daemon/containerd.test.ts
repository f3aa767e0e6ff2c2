import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { newerDocker, startDocker } from './engines.ts'
import { daemonSuite } from './suite.ts'

const directory = mkdtempSync(join(tmpdir(), 'slipway-newer-docker-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const start = async () => startDocker('containerd', await newerDocker(directory))

daemonSuite("docker on containerd's store", start, { asksBack: false })
