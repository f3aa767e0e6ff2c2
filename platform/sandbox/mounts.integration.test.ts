import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { containerPath } from '../../core/container-path.ts'
import type { SandboxOptions } from './sandbox.ts'
import { collect, script } from './testing/runner-contract.ts'
import { makeHere, makeWorld, optionsFor, WORKSPACE } from './testing/world.ts'

describe('places to mount on', () => {
  test('are made in the root, also below a link, and never outside', async () => {
    using world = makeWorld()
    const outside = join(world.top, 'outside')
    mkdirSync(outside)
    symlinkSync(outside, join(world.rootfs, 'trap'))
    symlinkSync('/srv/apps', join(world.rootfs, 'apps'))
    const host = world.workspace
    await using sandbox = await makeHere(world, {
      mounts: [
        ...world.system,
        { path: containerPath('/trap/inner'), host, writable: true },
        { path: containerPath('/apps/one'), host, writable: true },
        { path: containerPath('/apps/one/two'), host: '/usr', writable: false },
      ],
    })
    const { stdout } = await collect(
      sandbox,
      script('echo x > /apps/one/file; cat /srv/apps/one/file; ls -d /apps/one/two/bin'),
    )
    expect(stdout.toString()).toBe('x\n/apps/one/two/bin\n')
    expect(readdirSync(outside)).toEqual([])
    expect(existsSync(join(world.rootfs, outside, 'inner'))).toBe(true)
  })

  test.each(['bubblewrap', 'unshare'])('may stand in a fresh directory (%s)', async (driver) => {
    using world = makeWorld()
    const path = containerPath('/home/user/.cache/deep')
    await using sandbox = await makeHere(world, {
      driver,
      mounts: [...world.system, { path, host: world.workspace, writable: true }],
      temporary: [containerPath('/home/user'), containerPath('/tmp')],
    })
    const { stdout } = await collect(
      sandbox,
      script('echo x > /home/user/.cache/deep/file; echo y > /home/user/z; ls -A /home/user'),
    )
    expect(stdout.toString()).toBe('.cache\nz\n')
    expect(readdirSync(world.workspace)).toEqual(['file'])
  })
})

describe('a sandbox that cannot be', () => {
  const code = async (more: Partial<SandboxOptions>): Promise<unknown> => {
    using world = makeWorld()
    const error = await makeHere(world, more).catch((thrown: unknown) => thrown)
    return (error as { code?: unknown }).code
  }
  test('for want of a driver of that name', async () => {
    expect(await code({ driver: 'chroot' })).toBe('SANDBOX_DRIVER_UNKNOWN')
  })
  test('for want of the helper', async () => {
    expect(await code({ helper: '/no/such/helper' })).toBe('SANDBOX_HELPER_MISSING')
  })
  test('for want of what is to be mounted', async () => {
    const mounts = [{ path: WORKSPACE, host: '/no/such/directory', writable: true }]
    expect(await code({ mounts })).toBe('SANDBOX_MOUNT_SOURCE')
  })
  test('for a link in the place of what the kernel gives', async () => {
    using world = makeWorld()
    symlinkSync('/tmp', join(world.rootfs, 'dev'))
    await expect(makeHere(world)).rejects.toMatchObject({ code: 'SANDBOX_MOUNT_POINT', subject: '/dev' })
  })
  test('for a file in the place of a directory', async () => {
    using world = makeWorld()
    writeFileSync(join(world.rootfs, 'workspace'), '')
    await expect(makeHere(world)).rejects.toMatchObject({
      code: 'SANDBOX_MOUNT_POINT',
      subject: '/workspace',
    })
  })

  test('for want of user namespaces, with what to set', () => {
    using world = makeWorld()
    const script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" "$@"'
    const application = join(import.meta.dirname, 'testing', 'application-process.ts')
    const spec = { program: '/bin/true', args: [], cwd: '/', env: {} }
    const words = [application, JSON.stringify(optionsFor(world)), JSON.stringify(spec)]
    // The setting counts for the namespace in which it is made, and those below.
    const { stderr } = spawnSync('unshare', ['-Ur', 'sh', '-c', script, process.execPath, ...words], {
      env: { PATH: process.env.PATH, TMPDIR: world.top },
      encoding: 'utf8',
    })
    expect(JSON.parse(stderr)).toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
      message: expect.stringMatching(/bubblewrap: .*; unshare: /),
      hint: expect.stringContaining('sysctl -w user.max_user_namespaces='),
    })
  })
})
