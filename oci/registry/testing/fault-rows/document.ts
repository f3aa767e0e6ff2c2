import type { FaultGroup } from './row.ts'

/** docs/registry-faults.md: what registries and lines do, and what the client does then. */
export function faultDocument(groups: readonly FaultGroup[]): string {
  const escaped = (text: string) => text.replaceAll('|', '\\|')
  return [
    '# Registries, and what the client does',
    '',
    'What goes wrong with real registries and lines, and what hostile ones would like. Each line is a test against a registry',
    'in the same process that does so; this page is made from the rows in',
    '[oci/registry/testing/fault-rows](../oci/registry/testing/fault-rows/table.ts), and a test fails when it is out of date',
    '(`npm run registry-faults:write`). What registries have in common is one suite, run on this registry and on',
    'docker-registry (plain, with TLS of a private authority, with htpasswd, declared insecure), and on any other that the',
    'environment variable TEST_REGISTRY names.',
    '',
    ...groups.flatMap(({ title, rows }) => [
      `## ${title}`,
      '',
      '| the registry | the client | known for it |',
      '|---|---|---|',
      ...rows.map(
        ({ registry, client, known = '' }) =>
          `| ${escaped(registry)} | ${escaped(client)} | ${escaped(known)} |`,
      ),
      '',
    ]),
  ].join('\n')
}
