import type { Emit } from '../../core/event.ts'
import { redact } from '../../core/http/redact.ts'
import type { HttpResponse } from '../../core/http/types.ts'

/** A registry may have this many different things to say; more is an attempt on the reader's patience. */
const MOST = 20

/** Tells of `Warning: 299 - "…"`, once for each text; it is never acted upon (distribution spec, warnings). */
export function createHeed(registry: string, emit: Emit): (response: HttpResponse) => HttpResponse {
  const told = new Set<string>()
  return (response) => {
    for (const line of response.headers.all('warning')) {
      const text = /^299 - "((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.slice(0, 500)
      if (text === undefined || told.has(text) || told.size >= MOST) continue
      told.add(text)
      emit({ type: 'warning', message: `${registry}: ${redact(text)}` })
    }
    return response
  }
}
