import type { ImageObservation, Observation } from './observe.ts'

import { PLACE } from './world.ts'

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
  readonly image?: (image: ImageObservation) => ImageObservation
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

function inOneFamily(image: ImageObservation): ImageObservation {
  const [manifest = '', config = '', ...layers] = image.mediaTypes
  const kinds = ['docker.image.rootfs.diff.tar.gzip', 'oci.image.layer.v1.tar+gzip'] as const
  const [from, to] = manifest.includes('.oci.') ? kinds : kinds.toReversed()
  return {
    ...image,
    mediaTypes: [manifest, config, ...layers.map((type) => type.replace(from ?? '', to ?? ''))],
  }
}

/** What a cache image is, whatever the order; other images as they are. */
function asSet(image: ImageObservation): ImageObservation {
  if (image.labels['io.buildpacks.lifecycle.cache.metadata'] === undefined) return image
  const layers = new Map(image.layers.map((layer) => [layer.diffId, layer]))
  const [manifest = '', config = ''] = image.mediaTypes
  return {
    mediaTypes: [manifest, config],
    config: {},
    labels: image.labels,
    layers: [...layers.values()].sort((a, b) => (a.diffId < b.diffId ? -1 : 1)),
  }
}

function withoutVariant(image: ImageObservation): ImageObservation {
  const { variant: _, ...config } = image.config as Readonly<Record<string, unknown>>
  return { ...image, config }
}

const LAYOUTS = `${PLACE}/images/registry.test`

/** Names where the reference writes paths; run images in layouts without their digests. */
function layoutNames(text: string): string {
  return text
    .replaceAll(new RegExp(`(${LAYOUTS}/run/base)@sha256:[^"']*`, 'g'), '$1')
    .replaceAll(`${LAYOUTS}/run/base`, 'registry.test/run:base')
}

function withLayoutNames(lines: readonly string[]): readonly string[] {
  const image = `${LAYOUTS}/app/latest`
  return lines.map((line) =>
    line
      .replace(`Image with name "${image}" not found`, 'Image with name "registry.test/app" not found')
      .replace(new RegExp(`^(Reusing layers from image '${image})@.*'`), "$1'"),
  )
}

function withoutExistingMetadata(lines: readonly string[]): readonly string[] {
  return lines.map((line) => line.replace(/(not found in existing run image metadata: ).*/, '$1'))
}

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
    ours: { lines: (lines) => lines.map((line) => line.replace(/toml: line 1: .*/, 'no TOML')) },
    theirs: { lines: (lines) => lines.map((line) => line.replace(/toml: line 1: .*/, 'no TOML')) },
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
    what: 'the layers of an image are of the family of its manifest',
    why: "image-spec; the reference mixes Docker's media types into an OCI manifest and the other way, which some tools refuse",
    theirs: { image: inOneFamily },
  },
  {
    what: 'before Platform API 0.13, the cache image that was replaced is deleted',
    why: 'cnb-spec CA-4; the reference asks for the deletion of a digest that was never stored, and warns',
    theirs: { lines: without(/^Warning: Unable to delete cache image: .*MANIFEST_UNKNOWN/) },
  },
  {
    what: 'in a cache image: each layer once, in the order of its label, with an architecture and no history',
    why: 'the reference repeats the layers that it reuses (lifecycle#1720); readers go by the label',
    ours: { image: asSet },
    theirs: { image: asSet },
  },
  {
    what: 'an image in a layout is named by its name, not by its path on this machine; a run image by its stored digest',
    why: "names mean the same on every machine; the reference's digest is that of a copy which it never writes",
    ours: {
      lines: withLayoutNames,
      path: (_, value) => layoutNames(value),
      label: (_, value) => layoutNames(value),
    },
    theirs: {
      lines: withLayoutNames,
      path: (_, value) => layoutNames(value),
      label: (_, value) => layoutNames(value),
    },
  },
  {
    what: 'the metadata that a forced rebase warns of are those of the image as it was',
    why: 'it calls them existing; the reference has changed them by then',
    ours: { lines: withoutExistingMetadata },
    theirs: { lines: withoutExistingMetadata },
  },
  {
    what: 'the variant of a new run image that a rebase is forced on',
    why: 'spec (cnb-spec AMB-28); the reference leaves it out, and the image names the wrong platform',
    ours: { image: withoutVariant },
  },
  {
    what: 'a run image that is not there is asked for once',
    why: 'it will not be there a second later; the reference asks six times, for four seconds',
    theirs: { lines: without(/^Warning: Failed to open remote image /) },
  },
  {
    what: 'an image that is not there is an empty one in analyzed.toml, whoever wrote it',
    why: 'the reference does so in its analyzer alone; both read the same',
    ours: { path: (_, value) => value.replace('[image]\n  reference = ""\n\n', '') },
    theirs: { path: (_, value) => value.replace('[image]\n  reference = ""\n\n', '') },
  },
  {
    what: 'nothing is said of SBOMs that are not restored',
    why: 'with -skip-layers the reference says it and does not do it',
    theirs: {
      lines: (lines) =>
        lines.includes('Skipping buildpack layer analysis')
          ? without(/^Restoring data for SBOM from cache$/)(lines)
          : lines,
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
  const { label = (_, value) => value, image: imageOf = (image) => image } = change
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
        const labels = Object.entries(image.labels).map(([key, value]) => [key, label(key, value)])
        return [name, imageOf({ ...image, labels: Object.fromEntries(labels) })]
      }),
    ),
  }
}
