/** Query parameters whose values grant access: signatures of storage URLs, tokens. */
const SECRET_NAME = /token|signature|credential|password|secret|key|jwt|auth|^(?:sig|se|sv|_state)$/i
/** Which parameter it is, is asked of the name alone: one expression for both would be quadratic. */
const PARAMETER = /([?&])([^=?&#\s"'<>]+)=([^&#\s"'<>]*)/g
const AUTHORIZATION =
  /\b((?:proxy-)?authorization["']?\s*[:=]\s*["']?)(?:(basic|bearer|x-identity|digest|negotiate|token)\s+)?[^\s"',;]+/gi
const SCHEME_VALUE =
  /\b(basic|bearer|x-identity)\s+(?=[A-Za-z0-9._~+/=-]*[0-9+/=._-])[A-Za-z0-9._~+/=-]{12,}/gi
const JSON_SECRET =
  /("(?:access_token|refresh_token|token|identitytoken|registrytoken|password|secret|auth|id_token)"\s*:\s*)"(?:[^"\\]|\\.)*"/gi

/**
 * A text with what grants access taken out, for messages and logs: user info and secret parameters of URLs, Authorization
 * values, tokens in JSON. Linear in the length of the text, for answers of hostile servers pass through here.
 */
export function redact(text: string): string {
  return redactUserInfo(text)
    .replace(
      AUTHORIZATION,
      (_, head: string, scheme?: string) => `${head}${scheme === undefined ? '' : `${scheme} `}***`,
    )
    .replace(SCHEME_VALUE, '$1 ***')
    .replace(JSON_SECRET, '$1"***"')
    .replace(PARAMETER, (whole, before: string, name: string) =>
      SECRET_NAME.test(name) ? `${before}${name}=***` : whole,
    )
}

const END_OF_AUTHORITY = /[/?#\s"<>]/g

/** A scan instead of one expression: nested quantifiers over `user:pass@` would be quadratic. */
function redactUserInfo(text: string): string {
  let result = ''
  let from = 0
  for (;;) {
    const start = text.indexOf('://', from)
    if (start < 0) return result + text.slice(from)
    END_OF_AUTHORITY.lastIndex = start + 3
    const end = END_OF_AUTHORITY.exec(text)?.index ?? text.length
    const at = text.slice(start + 3, end).lastIndexOf('@')
    if (at >= 0) {
      result += `${text.slice(from, start + 3)}***@`
      from = start + 3 + at + 1
    } else {
      result += text.slice(from, start + 3)
      from = start + 3
    }
  }
}
