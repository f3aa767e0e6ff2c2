/**
 * Settings of package registries as service bindings, and back. What goes out is made from the settings alone, so that
 * nothing of a file that Slipway does not know can slip along.
 *
 * | type              | keys                                     | read by                             |
 * | ----------------- | ---------------------------------------- | ----------------------------------- |
 * | `npmrc`           | `.npmrc`                                 | npm (Paketo's type)                 |
 * | `pip`             | `pip.conf`                               | pip                                 |
 * | `go`              | `go.env` (as `go env -w` writes it)      | the go command                      |
 * | `maven`           | `settings.xml`                           | Maven (Paketo's type)               |
 * | `apt`             | `sources.list`, `apt.conf`, `auth.conf`  | apt                                 |
 * | `ca-certificates` | `certificates.pem`                       | every client (Paketo's type)        |
 * | `proxy`           | `http`, `https`, `no-proxy`              | every client                        |
 */
import { proxyAddress, secretUrls, written } from './address.ts'
import { aptConfiguration, writeAptConf, writeSourcesList } from './apt.ts'
import { type Binding, HOST_BINDING_PREFIX } from './binding.ts'
import { goConfiguration, parseGoEnv, writeGoEnv } from './go.ts'
import { parseMavenSettings, writeMavenSettings } from './maven.ts'
import { npmConfiguration, parseNpmrc, writeNpmrc } from './npmrc.ts'
import { newCertificates, splitCertificates } from './pem.ts'
import { parsePipConf, pipConfiguration, writePipConf } from './pip.ts'
import { firstProxies } from './proxy.ts'
import { mergeCredentials, NO_CREDENTIALS, type ProxyAddresses, type RegistryAccess } from './settings.ts'

/**
 * The bindings that carry `access` into a build. Without `credentials` no token, password, user name or query of an
 * address is in them. A path in an address is not secret: a registry that hides a token there cannot be told apart.
 */
export function toBindings(access: RegistryAccess, options: { readonly credentials: boolean }): Binding[] {
  const { settings } = access
  const credentials = options.credentials ? access.credentials : NO_CREDENTIALS
  const npm = writeNpmrc(settings.npm ?? { scopes: {}, options: {} }, credentials)
  const maven = settings.maven ?? { mirrors: [], profiles: [] }
  const wantsMaven = settings.maven !== undefined || credentials.maven.length > 0
  const { proxy = {} } = settings
  return [
    binding('apt', {
      'sources.list': settings.apt === undefined ? '' : writeSourcesList(settings.apt, credentials),
      'apt.conf': settings.apt === undefined ? '' : writeAptConf(settings.apt, credentials),
      'auth.conf': credentials.apt ?? '',
    }),
    binding('ca-certificates', { 'certificates.pem': settings.certificates.join('') }),
    binding('go', { 'go.env': settings.go === undefined ? '' : writeGoEnv(settings.go, credentials) }),
    binding('maven', { 'settings.xml': wantsMaven ? writeMavenSettings(maven, credentials) : '' }),
    binding('npmrc', { '.npmrc': npm }),
    binding('pip', { 'pip.conf': settings.pip === undefined ? '' : writePipConf(settings.pip, credentials) }),
    binding('proxy', {
      http: proxy.http === undefined ? '' : written(proxy.http, credentials),
      https: proxy.https === undefined ? '' : written(proxy.https, credentials),
      'no-proxy': proxy.http === undefined && proxy.https === undefined ? '' : (proxy.noProxy ?? ''),
    }),
  ].flat()
}

/** A binding of the keys that hold something; none where none does. */
function binding(type: string, files: Readonly<Record<string, string>>): Binding[] {
  const kept = Object.entries(files).filter(([, content]) => content !== '')
  return kept.length === 0
    ? []
    : [{ name: `${HOST_BINDING_PREFIX}${type}`, type, files: Object.fromEntries(kept) }]
}

/**
 * The settings that bindings carry, also those that users wrote by hand. Of several bindings of one type the first one
 * counts; certificates of all are taken together.
 * @param env for `${VARIABLE}` in a .npmrc or settings.xml.
 */
export function fromBindings(
  bindings: readonly Binding[],
  env: Readonly<Record<string, string | undefined>> = {},
): RegistryAccess {
  const text = (type: string, key: string) =>
    bindings.find((one) => one.type.toLowerCase() === type)?.files[key]
  const npmrc = text('npmrc', '.npmrc')
  const npm = npmrc === undefined ? undefined : npmConfiguration(parseNpmrc(npmrc, env))
  const pip = pipConfiguration(parsePipConf(text('pip', 'pip.conf') ?? ''))
  const go = goConfiguration({}, parseGoEnv(text('go', 'go.env') ?? ''))
  const maven = parseMavenSettings(text('maven', 'settings.xml') ?? '', env)
  const apt = aptConfiguration({
    lists: [text('apt', 'sources.list') ?? ''],
    sources: [],
    configurations: [text('apt', 'apt.conf') ?? ''],
    logins: [text('apt', 'auth.conf') ?? ''],
  })
  const proxy = proxyOfBinding((key) => text('proxy', key) ?? '')
  const pem = bindings
    .filter((one) => one.type.toLowerCase() === 'ca-certificates')
    .flatMap((one) => Object.values(one.files))
  const certificates = newCertificates([...pem.flatMap(splitCertificates), ...(npm?.certificates ?? [])], [])
  return {
    settings: {
      ...(npm === undefined ? {} : { npm: npm.settings }),
      ...(pip.settings === undefined ? {} : { pip: pip.settings }),
      ...(go.settings === undefined ? {} : { go: go.settings }),
      ...(maven.settings === undefined ? {} : { maven: maven.settings }),
      ...(apt.settings === undefined ? {} : { apt: apt.settings }),
      proxy: firstProxies(proxy.proxy, npm?.proxy ?? {}),
      certificates,
    },
    credentials: mergeCredentials(
      ...[npm, pip, go, maven, apt, proxy].flatMap((one) => one?.credentials ?? []),
    ),
  }
}

function proxyOfBinding(value: (key: string) => string) {
  const urls = secretUrls()
  const [http, https] = [proxyAddress(value('http'), urls), proxyAddress(value('https'), urls)]
  const noProxy = value('no-proxy').trim()
  const proxy: ProxyAddresses = {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    ...(noProxy === '' ? {} : { noProxy }),
  }
  return { proxy, credentials: { urls: urls.urls } }
}
