import { SlipwayError } from '../../core/error.ts'
import { refusal } from './failure.ts'
import { nextPage } from './pages.ts'
import { readScopes, resource, type Target } from './target.ts'

/** Registries page their lists; a page is this long at most, and so is what is kept of hostile ones. */
const PAGE_BYTES = 4 * 1024 * 1024
const MOST = 10_000
const MOST_PAGES = 1000

/** Tags in the registry's order (distribution spec, listing tags); pages are followed by their `Link`. */
export async function listTags(target: Target): Promise<readonly string[]> {
  const tags: string[] = []
  const { origin } = await target.session.endpoint(target.path)
  const seen = new Set<string>()
  for (let page: string | undefined = resource(target, 'tags/list?n=1000'); page !== undefined; ) {
    seen.add(page)
    const response = await target.session.send({
      method: 'GET',
      target: page,
      repository: target.path,
      scopes: readScopes(target),
    })
    if (response.status === 404) {
      await response.discard()
      return tags
    }
    if (response.status !== 200) throw (await refusal(response, 'list the tags of', target.name)).error
    const answer = (await response.json(PAGE_BYTES)) as { tags?: unknown } | null
    const listed = Array.isArray(answer?.tags) ? answer.tags : []
    for (const tag of listed) if (typeof tag === 'string') tags.push(tag)
    if (tags.length > MOST) return tags.slice(0, MOST)
    page = nextPage(response.headers.get('link'), response.url, origin)
    if (page !== undefined && (seen.has(page) || seen.size >= MOST_PAGES)) throw endless(target.name)
  }
  return tags
}

function endless(name: string): SlipwayError {
  return new SlipwayError('OCI_ANSWER_INVALID', `the registry's list of tags never ends: ${name}`, {
    subject: name,
    class: 'infrastructure',
  })
}
