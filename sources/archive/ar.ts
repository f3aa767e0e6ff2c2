import { SlipwayError } from '../../core/error.ts'

/** A member of an `ar` archive: where its bytes stand in the file. */
export interface ArMember {
  /** Name without padding and without the `/` that GNU ar appends; latin1. */
  readonly name: string
  /** Offset of the first byte of its content. */
  readonly offset: number
  readonly size: number
}

/** Reads `length` bytes at `offset`; fewer only at the end of the file. */
export type ReadAt = (offset: number, length: number) => Uint8Array

const MAGIC = '!<arch>\n'
const HEADER = 60
/** A .deb has three members; more than this is not an archive anyone made for us. */
const MAX_MEMBERS = 1024

/**
 * The members of an `ar` archive (the outer format of a .deb, deb(5)), in file order, found from their headers alone.
 * Nothing of the members is read. GNU and BSD long names are not resolved: no .deb uses them.
 * @throws SlipwayError `SOURCE_AR_INVALID` for anything that is not a whole, well-formed archive of `size` bytes.
 */
export function arMembers(readAt: ReadAt, size: number, subject: string): readonly ArMember[] {
  const invalid = (why: string): SlipwayError =>
    new SlipwayError('SOURCE_AR_INVALID', `not a valid ar archive: ${why}`, {
      subject,
      hint: 'the file is damaged or not a Debian package; remove it and fetch it again',
      class: 'infrastructure',
    })
  if (latin1(readAt(0, MAGIC.length)) !== MAGIC) throw invalid('wrong magic')
  const members: ArMember[] = []
  for (let at = MAGIC.length; at < size; ) {
    const header = latin1(readAt(at, HEADER))
    if (header.length < HEADER) throw invalid('a header is cut off')
    if (header.slice(58) !== '`\n') throw invalid(`no header at byte ${at}`)
    const sizeText = header.slice(48, 58).trimEnd()
    if (!/^\d{1,10}$/.test(sizeText)) throw invalid(`size ${JSON.stringify(sizeText)} at byte ${at}`)
    const member = {
      name: header.slice(0, 16).trimEnd().replace(/\/$/, ''),
      offset: at + HEADER,
      size: Number(sizeText),
    }
    if (member.offset + member.size > size) throw invalid(`member ${JSON.stringify(member.name)} is cut off`)
    members.push(member)
    if (members.length > MAX_MEMBERS) throw invalid('too many members')
    at = member.offset + member.size + (member.size % 2)
  }
  return members
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
