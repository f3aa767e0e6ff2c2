/** Reads a machine's apt settings: the edge of apt-settings.ts. Only the command calls it, and passes on what it found. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type AptProxies,
  type AptSource,
  aptChecksValidity,
  aptListName,
  aptProxies,
  type CandidateArchives,
  candidateArchives,
  parseAptConf,
  parseDeb822Sources,
  parseMirrorList,
  parseSourcesList,
} from './apt-settings.ts'
import { parseStanza } from './deb822.ts'

/** What a machine's apt settings say that matters for fetching Debian's packages. */
export interface AptHost {
  readonly archives: CandidateArchives
  readonly proxies: AptProxies
  /** False where the machine's owner switched off apt's check of an index's dates. */
  readonly checksValidity: boolean
}

/**
 * Reads `/etc/apt`; an absent file or folder is an empty one. A source counts unless apt's own copy of its Release says
 * that its origin is not Debian; where apt has no copy, the fetched one decides later (release.ts).
 */
export function readAptHost(directory = '/etc/apt', lists = '/var/lib/apt/lists'): AptHost {
  const sources = [
    ...parseSourcesList(text(join(directory, 'sources.list'))),
    ...files(join(directory, 'sources.list.d'), '.list').flatMap(parseSourcesList),
    ...files(join(directory, 'sources.list.d'), '.sources').flatMap(parseDeb822Sources),
  ].flatMap(expandMirrorList)
  const conf = parseAptConf(
    [...files(join(directory, 'apt.conf.d'), ''), text(join(directory, 'apt.conf'))].join('\n'),
  )
  return {
    archives: candidateArchives(sources.filter((source) => mayBeDebian(source, lists))),
    proxies: aptProxies(conf),
    checksValidity: aptChecksValidity(conf),
  }
}

function mayBeDebian(source: AptSource, lists: string): boolean {
  const known =
    text(join(lists, aptListName(source, 'InRelease'))) || text(join(lists, aptListName(source, 'Release')))
  if (known === '') return true
  const head = known.replace(/^-----BEGIN[^\n]*\n(?:[A-Za-z]+:[^\n]*\n)*\n/, '').slice(0, 10_000)
  return parseStanza(head).get('origin') === 'Debian'
}

function expandMirrorList(source: AptSource): readonly AptSource[] {
  const match = /^mirror\+file:(.*)$/i.exec(source.uri)
  if (match === null) return [source]
  const path = (match[1] ?? '').startsWith('//') ? fileURLToPath(`file:${match[1]}`) : (match[1] ?? '')
  return parseMirrorList(text(path)).map((uri) => ({ ...source, uri }))
}

function files(directory: string, ending: string): string[] {
  try {
    return readdirSync(directory)
      .filter(
        (name) =>
          name.endsWith(ending) && /^[A-Za-z0-9_.-]+$/.test(name) && !/~$|\.(bak|dpkg-[a-z]+)$/.test(name),
      )
      .sort()
      .map((name) => text(join(directory, name)))
  } catch {
    return []
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
