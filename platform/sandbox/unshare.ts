import { type Driver, HOSTNAME, type PlannedMount, type Step, userSteps } from './driver.ts'

/**
 * A sandbox without any other program: the helper makes the namespaces and the mounts by itself (unshare(2), mount(2),
 * pivot_root(2)). As root no user namespace is needed for that, and the programs have no power over what was made.
 */
export const unshareDriver: Driver = {
  name: 'unshare',
  program: ({ helper }) => helper,
  args: [],
  hiddenArgs: () => [],
  steps: (plan) => [
    [plan.network === 'none' ? 'namespaces-without-network' : 'namespaces'],
    ['hostname', HOSTNAME],
    ['root', plan.rootfs],
    ['proc'],
    ['dev'],
    ...plan.mounts.map(mountStep),
    ['enter'],
    ...userSteps(plan),
  ],
}

function mountStep(mount: PlannedMount): Step {
  if (mount.kind === 'tmpfs') return ['tmpfs', mount.target]
  return [mount.writable ? 'bind' : 'bind-read-only', mount.source, mount.target]
}
