/** As much of XML as Maven's settings.xml needs: elements, text, CDATA, the named and numbered entities. Never fails. */

export interface XmlElement {
  readonly name: string
  readonly children: readonly XmlElement[]
  /** Text directly in the element, trimmed. */
  readonly text: string
}

interface Open {
  name: string
  children: XmlElement[]
  text: string
}

const TOKEN =
  /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<[?!][^>]*>|<\/([^\s>]+)\s*>|<([^\s/>]+)((?:"[^"]*"|'[^']*'|[^"'>])*)>|([^<]+)|</g
const MAX_DEPTH = 100

/** The elements at the top of a document; ends of elements that are missing are taken as given at the end of their parent. */
export function parseXml(text: string): readonly XmlElement[] {
  const root: Open = { name: '', children: [], text: '' }
  const open: Open[] = [root]
  for (const [, cdata, end, start, rest, characters] of text.matchAll(TOKEN)) {
    const current = open.at(-1) ?? root
    if (cdata !== undefined) current.text += cdata
    if (characters !== undefined) current.text += unescapeXml(characters)
    if (start !== undefined && open.length < MAX_DEPTH) {
      open.push({ name: localName(start), children: [], text: '' })
      if (rest?.endsWith('/') === true) closeTo(open, open.length - 1)
    }
    if (end !== undefined) {
      const depth = open.findLastIndex((element, index) => index > 0 && element.name === localName(end))
      if (depth > 0) closeTo(open, depth)
    }
  }
  closeTo(open, 1)
  return root.children
}

/** Hands the innermost elements to their parents until `depth` are left open. */
function closeTo(open: Open[], depth: number): void {
  while (open.length > depth) {
    const done = open.pop()
    const parent = open.at(-1)
    if (done !== undefined)
      parent?.children.push({ name: done.name, children: done.children, text: done.text.trim() })
  }
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  return text.replace(/&(#x[0-9a-fA-F]{1,6}|#[0-9]{1,7}|[a-z]+);/g, (whole, entity: string) => {
    if (!entity.startsWith('#')) return NAMED[entity] ?? whole
    const code = entity.startsWith('#x') ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1))
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (char) => {
    const name = Object.keys(NAMED).find((key) => NAMED[key] === char)
    return `&${name};`
  })
}

/** The elements below `elements` along a path of names. */
export function at(elements: readonly XmlElement[], ...path: readonly string[]): readonly XmlElement[] {
  const [name, ...rest] = path
  const found = elements.filter((element) => element.name === name)
  return rest.length === 0
    ? found
    : at(
        found.flatMap((element) => element.children),
        ...rest,
      )
}

/** The text of the first child of that name, empty where there is none. */
export function textOf(element: XmlElement, name: string): string {
  return element.children.find((child) => child.name === name)?.text ?? ''
}
