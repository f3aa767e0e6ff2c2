import type { User } from './container.ts'

/** How a platform calls the lifecycle. */
export interface Platform {
  readonly name: string
  /** In this folder; it is called once for each step, with the step's name. */
  readonly script: string
  readonly platformApi: string
  readonly steps: readonly Step[]
  /** Whom the builder image names as its user: the owner of what is in layers. */
  readonly owner: User
  /** How the volumes of a Pod come: as a kubelet gives an emptyDir to everybody, or to its owner alone. */
  readonly volumeMode: number
  /** Whether its cache outlives a build. */
  readonly keepsCache: boolean
  readonly report: string
  /** The analyzer's exit code where the registry refuses: 3 where the run image is that of run.toml, as in the reference. */
  readonly denied: 3 | 32
}

export interface Step {
  readonly name: string
  readonly user: User
  /** Where it finds the registry's credentials; buildpacks must find none where there are none. */
  readonly credentials: 'home' | 'environment' | 'none'
}

const ROOT = { uid: 0, gid: 0 }
const CNB = { uid: 1000, gid: 1000 }
/** Of a namespace's range: no user's name, in root's group. */
const OPENSHIFT = { uid: 1_000_620_000, gid: 0 }

const step = (name: string, user: User, credentials: Step['credentials']): Step => ({
  name,
  user,
  credentials,
})

const kpack = (name: string, user: User): Platform => ({
  name,
  script: 'kpack.sh',
  platformApi: '0.9',
  owner: CNB,
  volumeMode: 0o777,
  keepsCache: true,
  report: '/report/report.toml',
  denied: 32,
  steps: ['prepare', 'analyze', 'detect', 'restore', 'build', 'export'].map((phase) =>
    step(phase, user, ['detect', 'build'].includes(phase) ? 'none' : 'home'),
  ),
})

/** The same in two Pods. */
export const KPACK = kpack("kpack's Pod", CNB)
export const KPACK_ON_OPENSHIFT = kpack("kpack's Pod on OpenShift", OPENSHIFT)

export const PLATFORMS: readonly Platform[] = [
  KPACK,
  KPACK_ON_OPENSHIFT,
  {
    name: "Tekton's buildpacks-phases",
    script: 'tekton-phases.sh',
    platformApi: '0.13',
    owner: CNB,
    volumeMode: 0o755,
    keepsCache: true,
    report: '/report/report.toml',
    denied: 3,
    steps: [
      step('prepare', ROOT, 'home'),
      ...['analyze', 'detect', 'restore', 'build', 'export'].map((phase) =>
        step(phase, CNB, ['detect', 'build'].includes(phase) ? 'none' : 'home'),
      ),
    ],
  },
  {
    name: "Tekton's buildpacks",
    script: 'tekton-creator.sh',
    platformApi: '0.9',
    owner: CNB,
    volumeMode: 0o755,
    keepsCache: true,
    report: '/report/report.toml',
    denied: 32,
    steps: [step('prepare', ROOT, 'home'), step('create', CNB, 'home')],
  },
  {
    name: "Shipwright's strategy",
    script: 'shipwright.sh',
    platformApi: '0.13',
    owner: { uid: 1001, gid: 1000 },
    volumeMode: 0o777,
    keepsCache: false,
    report: '/report/report.toml',
    denied: 3,
    steps: [step('build-and-push', { uid: 1001, gid: 1000 }, 'home')],
  },
  {
    name: "pack's five containers",
    script: 'pack.sh',
    platformApi: '0.14',
    owner: CNB,
    volumeMode: 0o755,
    keepsCache: true,
    report: '/layers/report.toml',
    denied: 32,
    steps: [
      step('prepare', ROOT, 'none'),
      step('analyze', ROOT, 'environment'),
      step('detect', CNB, 'none'),
      step('restore', ROOT, 'environment'),
      step('build', CNB, 'none'),
      step('export', ROOT, 'environment'),
    ],
  },
]
