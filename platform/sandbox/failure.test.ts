import { describe, expect, test } from 'vitest'
import { failure, type Machine, obstacles, unavailable } from './failure.ts'

const FREE: Machine = {
  maxUserNamespaces: '15000',
  unprivilegedClone: '1',
  appArmorRestricts: '0',
  inContainer: false,
  hasBubblewrap: true,
}

describe('what a machine must allow', () => {
  test('nothing more where it allows all', () => {
    expect(obstacles(FREE)).toEqual([])
  })

  test.each<[Partial<Machine>, RegExp]>([
    [{ maxUserNamespaces: '0' }, /sysctl -w user\.max_user_namespaces=\d+/],
    [{ unprivilegedClone: '0' }, /sysctl -w kernel\.unprivileged_userns_clone=1/],
    [{ appArmorRestricts: '1' }, /sysctl -w kernel\.apparmor_restrict_unprivileged_userns=0/],
    [{ inContainer: true }, /seccomp/],
  ])('%j', (change, hint) => {
    expect(obstacles({ ...FREE, ...change })).toEqual([expect.stringMatching(hint)])
  })

  test('also the package, where it is not installed', () => {
    expect(obstacles({ ...FREE, maxUserNamespaces: '0', hasBubblewrap: false })).toContainEqual(
      expect.stringMatching(/package bubblewrap/),
    )
  })

  test('an error that says what was tried, and always has a hint', () => {
    const error = unavailable([
      { driver: 'bubblewrap', why: 'not installed' },
      { driver: 'unshare', why: 'user namespace: ENOSPC' },
    ])
    expect(error).toMatchObject({
      code: 'SANDBOX_UNAVAILABLE',
      subject: 'bubblewrap, unshare',
      class: 'infrastructure',
    })
    expect(error.message).toMatch(/not installed.*ENOSPC/)
    expect(error.hint).toBeTruthy()
  })
})

describe('why a program did not start', () => {
  test.each([
    ['directory', 'ENOENT', 'RUNNER_DIRECTORY_MISSING'],
    ['program', 'ENOENT', 'RUNNER_PROGRAM_MISSING'],
    ['program', 'EACCES', 'RUNNER_NOT_EXECUTABLE'],
    ['program', 'ENOEXEC', 'RUNNER_START_FAILED'],
    ['interpreter', 'ENOENT', 'RUNNER_INTERPRETER_MISSING'],
    ['mount', 'EPERM', 'SANDBOX_START_FAILED'],
  ])('%s: %s', (step, error, code) => {
    expect(failure({ kind: 'failed', step, error, operand: '/some/path' }, 'unshare')).toMatchObject({
      code,
      subject: '/some/path',
    })
  })

  test('what the sandbox said last, where there is no answer', () => {
    const error = failure({ kind: 'none', message: "bwrap: Can't mkdir /x" }, 'bubblewrap')
    expect(error).toMatchObject({
      code: 'SANDBOX_START_FAILED',
      message: expect.stringContaining("Can't mkdir /x"),
    })
  })
})
