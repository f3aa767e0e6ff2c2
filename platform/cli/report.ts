import type { BuildpackRef, Event, Listener, Phase } from '../../core/event.ts'
import { bytes, columns, duration } from './format.ts'

/** What a build told about itself, gathered from its events for the summary at its end. */
export interface BuildReport {
  readonly phases: readonly { readonly phase: Phase; readonly milliseconds: number }[]
  readonly buildpacks: readonly { readonly buildpack: BuildpackRef; readonly milliseconds: number }[]
  readonly tasks: readonly {
    readonly label: string
    readonly milliseconds: number
    readonly detail?: string
  }[]
  readonly layers: readonly LayerRow[]
  readonly digest?: string
  readonly size?: number
  readonly milliseconds: number
}

type LayerRow = Extract<Event, { type: 'layer-exported' }>

/** A listener that gathers, and a function that gives what it has gathered so far. */
export function reportCollector(): { readonly listener: Listener; readonly report: () => BuildReport } {
  const phases: { phase: Phase; milliseconds: number }[] = []
  const buildpacks: { buildpack: BuildpackRef; milliseconds: number }[] = []
  const labels = new Map<string, string>()
  const tasks: { label: string; milliseconds: number; detail?: string }[] = []
  const layers: LayerRow[] = []
  let saved: Extract<Event, { type: 'image-saved' }> | undefined
  let at = 0
  return {
    listener: (event) => {
      at = event.at
      switch (event.type) {
        case 'phase-finished':
          phases.push({ phase: event.phase, milliseconds: event.milliseconds })
          break
        case 'buildpack-finished':
          buildpacks.push({ buildpack: event.buildpack, milliseconds: event.milliseconds })
          break
        case 'task-started':
          labels.set(event.task, event.label)
          break
        case 'task-finished':
          tasks.push({
            label: labels.get(event.task) ?? event.task,
            milliseconds: event.milliseconds,
            ...(event.detail === undefined ? {} : { detail: event.detail }),
          })
          break
        case 'layer-exported':
          layers.push(event)
          break
        case 'image-saved':
          saved = event
          break
      }
    },
    report: () => ({
      phases,
      buildpacks,
      tasks,
      layers,
      milliseconds: at,
      ...(saved === undefined ? {} : { digest: saved.digest, size: saved.size }),
    }),
  }
}

const REASONS: Readonly<Record<LayerRow['outcome'], string>> = {
  reused: 'same contents as in the previous image',
  'reused-untouched': 'the buildpack kept it as it was',
  added: 'new or changed',
}

/** The summary of a finished build: what it is, what was reused and why, where the time went. */
export function summaryLines(report: BuildReport): string[] {
  const reused = report.layers.filter((layer) => layer.outcome !== 'added').length
  const layers = report.layers.map((layer) => [
    `  ${layer.outcome === 'added' ? 'added ' : 'reused'}`,
    layer.layer,
    layer.compressedSize === undefined ? '' : bytes(layer.compressedSize),
    REASONS[layer.outcome],
  ])
  const own = report.phases.map(({ phase, milliseconds }) => `${phase} ${duration(milliseconds)}`)
  const theirs = report.buildpacks.reduce((sum, { milliseconds }) => sum + milliseconds, 0)
  const time = [
    ...report.tasks
      .filter((task) => task.milliseconds >= 50)
      .map((task) => `${task.label} ${duration(task.milliseconds)}`),
    ...own,
  ]
  return [
    `Layers  ${reused} of ${report.layers.length} reused`,
    ...columns(layers),
    ...(report.size === undefined ? [] : [`Size    ${bytes(report.size)} compressed, base image included`]),
    `Time    ${duration(report.milliseconds)}: ${time.join(', ')}${theirs > 0 ? ` (${duration(theirs)} of it the buildpacks' own programs)` : ''}`,
  ]
}
