import type { Observation } from './observe.ts'

/** A difference that is meant: what it is, why, and what both sides are freed from so that all else compares as equal. */
export interface Deliberate {
  readonly what: string
  readonly why: string
  readonly ours?: Change
  readonly theirs?: Change
}

interface Change {
  /** Lines of a step's standard output. */
  readonly lines?: (lines: readonly string[]) => readonly string[]
  /** A file or directory of the layers or cache directory; undefined where it does not count. */
  readonly path?: (path: string, value: string) => string | undefined
  readonly label?: (name: string, value: string) => string
  readonly layerType?: (mediaType: string) => string
}

const ERROR = /^(ERROR: (?:failed to [a-z ]+|[^:]*)).*$/
const without = (pattern: RegExp) => (lines: readonly string[]) => lines.filter((line) => !pattern.test(line))

/** Restoring goes through a map in the reference, or side by side: the order of these lines is chance. */
function sortRestored(lines: readonly string[]): readonly string[] {
  const isRestored = (line: string) => /^Restoring (meta)?data for "/.test(line)
  const sorted = lines.filter(isRestored).sort()
  return lines.map((line) => (isRestored(line) ? (sorted.shift() ?? line) : line))
}

/** The first line says what the file is, the entries follow. */
function sortEntries(path: string, value: string): string {
  if (path !== 'plan.toml') return value
  const [mode, ...entries] = value.split('[[entries]]')
  return [mode, ...entries.map((entry) => entry.trim()).sort()].join('\n[[entries]]\n')
}

function withoutFractions(path: string, value: string): string {
  return /^analyzed\.toml$|^[^/]+\/[^/]+\.toml$/.test(path)
    ? value.replace(/([ []\d+)\.0(?=[\n,\]])/g, '$1')
    : value
}

const launcherVersion = (name: string, value: string) =>
  name === 'io.buildpacks.build.metadata' ? value.replace(/"launcher":\{.*?\}\}\}/, '"launcher":{}') : value

export const DELIBERATE: readonly Deliberate[] = [
  {
    what: 'an error says to which file or buildpack it happened, and what to try',
    why: 'errors are for people (design: lines that do not bend); what failed, up to the first colon, and the code are equal',
    ours: {
      lines: (lines) =>
        without(/^What to try: /)(lines).map((line) => line.replace(ERROR, (_, action) => action)),
    },
    theirs: { lines: (lines) => lines.map((line) => line.replace(ERROR, (_, action) => action)) },
  },
  {
    what: 'a table of what each buildpack said, when none was found',
    why: 'it is what a newcomer reads; the lines of the reference stand above it unchanged',
    ours: {
      lines: (lines) => {
        const start = lines.indexOf('What each buildpack said:')
        if (start < 0) return lines
        const end = lines.findIndex((line, index) => index > start && !line.startsWith('  '))
        return lines.toSpliced(start, end - start)
      },
    },
  },
  {
    what: 'the order of what is restored',
    why: 'chance in the reference',
    ours: { lines: sortRestored },
    theirs: { lines: sortRestored },
  },
  {
    what: 'the order of entries in plan.toml',
    why: 'chance in the reference',
    ours: { path: sortEntries },
    theirs: { path: sortEntries },
  },
  {
    what: 'whole numbers in restored metadata stay whole numbers',
    why: 'the reference reads them from JSON as floats, so a buildpack gets 1.0 back for its 1',
    ours: { path: withoutFractions },
    theirs: { path: withoutFractions },
  },
  {
    what: 'where a file is no TOML, the words of the parser',
    why: 'each its own; ours names the file',
    ours: { lines: (lines) => lines.map((line) => line.replace(/^\/tmp\/.*plan\.toml:1:1: .*/, 'no TOML')) },
    theirs: { lines: (lines) => lines.map((line) => line.replace(/^toml: line 1: .*/, 'no TOML')) },
  },
  {
    what: 'an export that must fail fails before anything is made or sent',
    why: 'nobody waits for what cannot succeed; the last line and the code are equal',
    theirs: {
      lines: (lines) =>
        lines.some((line) => line.startsWith('ERROR: failed to export'))
          ? without(/^(Adding|Added|Reused|Reusing (cache )?layer) /)(lines)
          : lines,
    },
  },
  {
    what: 'a cached layer that is reused is not also added',
    why: 'a bug of the reference (lifecycle#1720)',
    theirs: {
      lines: (lines) =>
        lines.filter(
          (line) =>
            !lines.includes(line.replace('Adding cache layer', 'Reusing cache layer')) ||
            !line.startsWith('Adding cache layer'),
        ),
    },
  },
  {
    what: 'the mode of some restored SBOM files',
    why: 'the reference changes the umask of the whole process while it extracts layers beside them: a race',
    theirs: {
      path: (path, value) => (path.includes('.sbom.') ? value.replace(/^file 666/, 'file 644') : value),
    },
  },
  {
    what: 'an empty directory staging/ in the cache',
    why: 'ours makes it when it writes',
    theirs: { path: (path, value) => (path === 'staging' ? undefined : value) },
  },
  {
    what: 'files in the cache that say what has been verified and restored',
    why: 'the reference ignores it (design 5a: the cache directory)',
    ours: {
      path: (path, value) => (path.includes('/io.buildpacks.slipway.cache.') ? undefined : value),
    },
  },
  {
    what: 'what an extension without bin/generate brings is in the generated directory from 0.13 on too',
    why: 'the extender looks there and nowhere else; the reference leaves it in the extension, where it is never applied',
    ours: {
      path: (path, value) => (/^generated\/x_ready\//.test(path) ? undefined : value),
    },
  },
  {
    what: 'a failed bin/generate is told as `failed to generate`',
    why: 'the reference says `failed to build` in the detector, where nothing is built',
    theirs: {
      lines: (lines) =>
        lines.includes('x/only 1.0.0')
          ? lines.map((line) => line.replace(/^ERROR: failed to build/, 'ERROR: failed to generate'))
          : lines,
    },
  },
  {
    what: 'a warning that what stands behind FROM in run.Dockerfile has no effect before 0.12',
    why: 'the reference drops it without a word',
    ours: { lines: without(/^Warning: run\.Dockerfile of extension .* has no effect/) },
  },
  {
    what: 'version and sources of the launcher',
    why: 'each its own',
    ours: { label: launcherVersion },
    theirs: { label: launcherVersion },
  },
  {
    what: 'on an OCI image new layers are OCI layers',
    why: "image-spec; the reference mixes Docker's media types into an OCI manifest, which some tools refuse",
    theirs: {
      layerType: (type) => type.replace('docker.image.rootfs.diff.tar.gzip', 'oci.image.layer.v1.tar+gzip'),
    },
  },
]

/** The observation without what may differ; of two lifecycles in turn, without what differs in either. */
export function comparable(observation: Observation, ...sides: readonly ('ours' | 'theirs')[]): Observation {
  const changes = DELIBERATE.flatMap((difference) => sides.map((side) => difference[side] ?? {}))
  return changes.reduce(changed, observation)
}

function changed(observation: Observation, change: Change): Observation {
  const { lines = (all) => all, path = (_, value) => value } = change
  const { label = (_, value) => value, layerType = (type) => type } = change
  const paths = (tree: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(tree).flatMap(([name, value]) => {
        const kept = path(name, value)
        return kept === undefined ? [] : [[name, kept]]
      }),
    )
  return {
    steps: observation.steps.map((step) => ({
      ...step,
      stdout: lines(step.stdout),
      changed: paths(step.changed),
    })),
    cache: paths(observation.cache),
    images: Object.fromEntries(
      Object.entries(observation.images).map(([name, image]) => {
        const [manifest = '', ...types] = image.mediaTypes
        const isOci = manifest.includes('.oci.')
        const labels = Object.entries(image.labels).map(([key, value]) => [key, label(key, value)])
        return [
          name,
          {
            ...image,
            mediaTypes: [manifest, ...types.map((type) => (isOci ? layerType(type) : type))],
            labels: Object.fromEntries(labels),
          },
        ]
      }),
    ),
  }
}
