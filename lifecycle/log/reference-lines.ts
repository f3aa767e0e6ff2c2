import type { BuildpackRef, Event, Phase } from '../../core/event.ts'
import { formatModuleRef } from '../../spec/files/module-ref.ts'
import { goDuration } from './go-duration.ts'
import type { LogLevel } from './level.ts'

/** What is written for an event. */
export type LogEntry =
  /** One message; a line feed follows where it does not end in one. */
  | { readonly kind: 'line'; readonly level: LogLevel; readonly text: string | Uint8Array }
  /** The heading of a phase. */
  | { readonly kind: 'phase'; readonly text: string }
  /** Written as it is, whatever the level: what buildpacks say. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }

export interface ReferenceStyle {
  /** `===> DETECTING`: only the creator says so. */
  readonly phaseHeadings: boolean
  /** Milliseconds since 1970 at which the events' clock started. */
  readonly epoch: number
}

/**
 * The reference's lines for an event (lifecycle-behaviour §7.3), as a pure function. The layers of the app are told as
 * one line when all are known; that, and the order where work ran side by side, is the logger's (reference-log.ts).
 */
export function referenceLines(event: Event, style: ReferenceStyle): readonly LogEntry[] {
  switch (event.type) {
    case 'phase-started':
      return phaseStarted(event.phase, style.epoch + event.at, style.phaseHeadings)
    case 'phase-finished':
      return phaseFinished(event.phase, event.milliseconds, style.epoch + event.at)
    case 'warning':
      return [line('warn', event.message)]
    case 'info':
      return [line('info', event.message)]
    case 'debug':
      return [line('debug', event.message)]
    case 'previous-image':
      return event.found ? [] : [line('info', `Image with name "${event.reference}" not found`)]
    case 'previous-image-corrupt':
      return [line('info', `Ignoring image "${event.reference}" because it was corrupt`)]
    case 'detect-finished':
    case 'detect-output':
    case 'detect-group':
    case 'detect-skipped':
    case 'detect-result':
    case 'detect-trial':
    case 'detect-trial-verdict':
    case 'group-selected':
    case 'detect-failed':
      return detectLines(event)
    case 'layer-metadata-restored':
      return [line('info', `Restoring metadata for "${event.layer}" from ${event.from}`)]
    case 'layer-restored':
      return [line('info', `Restoring data for "${event.layer}" from cache`)]
    case 'layer-removed':
      return [line('info', `Removing "${event.layer}", ${event.reason}`)]
    case 'layer-restore-skipped':
      return [line('warn', `Skipping restore for layer ${event.layer}: ${event.reason}`)]
    case 'sbom-restored':
      return [line('info', `Restoring data for SBOM from ${event.from}`)]
    case 'buildpack-started':
      return [line('debug', `Running build for buildpack ${formatModuleRef(event.buildpack)}`)]
    case 'extension-started':
      return [line('debug', `Running generate for extension ${formatModuleRef(event.extension)}`)]
    case 'extension-finished':
      return [line('debug', `Finished running generate for extension ${formatModuleRef(event.extension)}`)]
    case 'generate-output':
    case 'build-output':
      return [{ kind: 'bytes', bytes: event.chunk }]
    case 'buildpack-finished':
      return [line('debug', `Finished running build for buildpack ${formatModuleRef(event.buildpack)}`)]
    case 'export-started':
    case 'layer-exported':
    case 'label-added':
    case 'default-process':
    case 'image-saving':
    case 'image-saved':
    case 'cache-layer':
    case 'cache-failed':
      return exportLines(event)
    case 'step-started':
    case 'step-finished':
    case 'bytes-uploaded':
    case 'task-started':
    case 'task-progress':
    case 'task-finished':
      return []
  }
}

function line(level: LogLevel, text: string | Uint8Array): LogEntry {
  return { kind: 'line', level, text }
}

const PHASES: Readonly<Record<Phase, { readonly heading: string; readonly timer: string }>> = {
  analyze: { heading: 'ANALYZING', timer: 'Analyzer' },
  detect: { heading: 'DETECTING', timer: 'Detector' },
  generate: { heading: 'GENERATING', timer: 'Generator' },
  restore: { heading: 'RESTORING', timer: 'Restorer' },
  extend: { heading: 'EXTENDING', timer: 'Extender' },
  build: { heading: 'BUILDING', timer: 'Builder' },
  export: { heading: 'EXPORTING', timer: 'Exporter' },
  rebase: { heading: 'REBASING', timer: 'Rebaser' },
  launch: { heading: 'LAUNCHING', timer: 'Launcher' },
}

function phaseStarted(phase: Phase, time: number, withHeading: boolean): readonly LogEntry[] {
  const { heading, timer } = PHASES[phase]
  const started = line('debug', `Timer: ${timer} started at ${rfc3339(time)}`)
  return withHeading ? [{ kind: 'phase', text: `===> ${heading}` }, started] : [started]
}

function phaseFinished(phase: Phase, milliseconds: number, time: number): readonly LogEntry[] {
  const { timer } = PHASES[phase]
  return [line('debug', `Timer: ${timer} ran for ${goDuration(milliseconds)} and ended at ${rfc3339(time)}`)]
}

function rfc3339(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, 'Z')
}

type DetectEvent = Extract<Event, { readonly type: `detect-${string}` | 'group-selected' }>

function detectLines(event: DetectEvent): readonly LogEntry[] {
  switch (event.type) {
    case 'detect-finished':
      return []
    case 'detect-output':
      return outputLines(event)
    case 'detect-group':
      return [line('debug', '======== Results ========')]
    case 'detect-skipped':
      return [line('debug', `Skipping ${formatModuleRef(event.buildpack)} due to ${event.reason}`)]
    case 'detect-result':
      return [resultLine(event)]
    case 'detect-trial':
      return [line('debug', `Resolving plan... (try #${event.number})`)]
    case 'detect-trial-verdict': {
      const who = event.buildpack === undefined ? '' : `${formatModuleRef(event.buildpack)} `
      return [line('debug', `${event.outcome}: ${who}${event.reason}`)]
    }
    case 'group-selected':
      return groupLines(event.candidates, event.group)
    case 'detect-failed':
      return [
        line('error', 'No buildpack groups passed detection.'),
        ...(event.erroredBuildpack
          ? []
          : [line('error', 'Please check that you are running against the correct path.')]),
      ]
  }
}

function outputLines(event: Extract<Event, { readonly type: 'detect-output' }>): readonly LogEntry[] {
  const level = event.verdict === 'error' ? 'info' : 'debug'
  const name = formatModuleRef(event.buildpack)
  return [
    ...(event.output.length === 0
      ? []
      : [line(level, `======== Output: ${name} ========`), line(level, event.output)]),
    ...(event.error === undefined
      ? []
      : [line(level, `======== Error: ${name} ========`), line(level, event.error)]),
  ]
}

function resultLine(event: Extract<Event, { readonly type: 'detect-result' }>): LogEntry {
  const name = formatModuleRef(event.buildpack)
  if (event.verdict !== 'error') return line('debug', `${event.verdict}: ${name}`)
  return line('info', event.code === undefined ? `err:  ${name}` : `err:  ${name} (${event.code})`)
}

function groupLines(candidates: number, group: readonly BuildpackRef[]): readonly LogEntry[] {
  const width = Math.max(0, ...group.map(({ id }) => id.length))
  return [
    ...(group.length === candidates
      ? []
      : [line('info', `${group.length} of ${candidates} buildpacks participating`)]),
    ...group.map(({ id, version }) => line('info', `${id.padEnd(width)} ${version}`)),
  ]
}

type ExportEvent = Extract<
  Event,
  {
    readonly type:
      | 'export-started'
      | 'layer-exported'
      | 'label-added'
      | 'default-process'
      | 'image-saving'
      | 'image-saved'
      | 'cache-layer'
      | 'cache-failed'
  }
>

function exportLines(event: ExportEvent): readonly LogEntry[] {
  switch (event.type) {
    case 'export-started':
      return [
        ...(event.previousImage === undefined ? [] : [reusingLine(event.previousImage, event.identity)]),
        ...(event.target === undefined ? [] : [line('info', `Using app image: ${event.target}`)]),
      ]
    case 'layer-exported':
      // The reference is silent about what extensions added.
      if (event.kind === 'app' || event.kind === 'extension') return []
      return [line('info', `${event.outcome === 'added' ? 'Adding' : 'Reusing'} layer '${event.layer}'`)]
    case 'label-added':
      return [line('info', `Adding label '${event.key}'`)]
    case 'default-process':
      return [
        line(
          'info',
          event.process === undefined
            ? 'no default process type'
            : `Setting default process type '${event.process}'`,
        ),
      ]
    case 'image-saving':
      return [line('info', `Saving ${event.name}...`)]
    case 'image-saved':
      return [
        line('info', `*** Images (${savedIdentity(event)}):`),
        ...event.names.map(({ name, error }) =>
          line('info', `      ${name}${error === undefined ? '' : ` - ${error}`}`),
        ),
        ...identityLines(event),
      ]
    case 'cache-layer':
      return [
        line('info', `${event.outcome === 'added' ? 'Adding' : 'Reusing'} cache layer '${event.layer}'`),
      ]
    case 'cache-failed':
      return [line('warn', `Failed to export cache: ${event.message}`)]
  }
}

function reusingLine(image: string, identity: SavedEvent['identity']): LogEntry {
  return identity === 'image-id'
    ? line('debug', `Reusing layers from image with id '${image}'`)
    : line('info', `Reusing layers from image '${image}'`)
}

type SavedEvent = Extract<Event, { readonly type: 'image-saved' }>

function savedIdentity({ identity, digest, names }: SavedEvent): string {
  if (identity === 'image-id') return shortId(digest)
  return identity === 'path' ? `${names[0]?.name}@${digest}` : digest
}

function identityLines({ identity, digest, manifestSize }: SavedEvent): readonly LogEntry[] {
  if (identity === 'image-id') return [line('debug', `\n*** Image ID: ${hexOf(digest)}`)]
  return [
    ...(identity === 'path' ? [] : [line('debug', `\n*** Digest: ${digest}`)]),
    line('debug', `\n*** Manifest Size: ${manifestSize}`),
  ]
}

function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1)
}

/** An image's ID as `docker images` shows it. */
function shortId(digest: string): string {
  return hexOf(digest).slice(0, 12)
}

/** The lines for all layers of the app together. */
export function appLayerLines(reused: number, added: number): readonly LogEntry[] {
  const all = reused + added
  return [
    ...(reused === 0 ? [] : [line('info', `Reused ${reused}/${all} app layer(s)`)]),
    ...(added === 0 ? [] : [line('info', `Added ${added}/${all} app layer(s)`)]),
  ]
}
