import type { Gap } from '../row.ts'

const gap = (kind: Gap['gap'], reason: string, ...ids: readonly string[]): readonly Gap[] =>
  ids.map((id) => ({ id, gap: kind, reason }))

const DOCKERFILES = 'belongs to the extender, which is not there yet'

/** What no check covers, and why; an id that stands in another file too is covered in part. */
export const GAPS: readonly Gap[] = [
  ...gap('none', 'no supported version is deprecated, and no list of them leaves the program', 'V-3'),
  ...gap('elsewhere', 'the packed lifecycle: the packaging has its own tests', 'V-50', 'V-51'),
  ...gap('elsewhere', 'parsing of references: oci/reference.test.ts', 'C-11'),
  ...gap(
    'open',
    'OCI layouts have their own integration tests, and no row here yet',
    'A-7',
    'LO-1',
    'LO-2',
    'LO-3',
  ),
  ...gap('open', 'a run image without os, and one that is not found', 'A-8'),
  ...gap(
    'open',
    'an SBOM restored by the analyzer from the previous image alone; LR-6 covers it with the restorer',
    'A-6',
  ),
  ...gap('none', 'refers to §3, whose requirements have rows of their own', 'D-3'),
  ...gap('none', 'refers to §5, whose requirements have rows of their own', 'E-3'),
  ...gap('later', DOCKERFILES, 'X-0'),
  ...gap('open', 'the restorer’s choice among the mirrors of run.toml', 'R-6'),
  ...gap('none', 'a permission, and the reference does not use it', 'R-7'),
  ...gap('elsewhere', 'broken cache contents are LR-5', 'R-9'),
  ...gap('later', 'for a daemon, which is not supported yet; for a layout not checked yet', 'RR-2'),
  ...gap('elsewhere', 'the mirrors that are recorded: spec/run-image.test.ts', 'RR-3'),
  ...gap('elsewhere', 'as root, for a user: lifecycle/commands/creator.integration.test.ts', 'AU-4', 'C-9'),
  ...gap('open', 'insecure registries need a registry with TLS and a host that is not local', 'AU-5'),
  ...gap('open', 'exec-env of an entry of an order', 'O-8', 'X-2', 'X-3'),
  ...gap('open', 'the reference checks composites for no target, and so do we', 'T-5'),
  ...gap('open', 'names of layers and process types that are forbidden', 'BU-7', 'PR-1'),
  ...gap('elsewhere', 'media types and compression: oci/write-image.test.ts', 'TR-7'),
  ...gap('open', 'images in several stores', 'RU-4'),
  ...gap('later', 'a container daemon is not supported yet', 'SV-3'),
  ...gap('elsewhere', 'retries: core/http/retry.test.ts, oci/registry/faults.test.ts', 'SV-5'),
  ...gap('open', 'cache images', 'CA-4'),
  ...gap('open', '-parallel', 'CA-5'),
  ...gap('elsewhere', 'CA-3 and LR-4 hold it: one digest for cache and image', 'CA-6'),
  ...gap(
    'open',
    'the rebaser has its own tests, and no row here yet',
    ...Array.from({ length: 12 }, (_, index) => `RB-${index + 1}`),
  ),
  ...gap('elsewhere', 'size and static linking: native/build.integration.test.ts', 'LX-5'),
  ...gap('none', 'nothing of what it forbids is looked at: only its output directory is read', 'IX-15'),
  ...gap('none', 'advice to authors of extensions', 'IX-23'),
  ...gap('none', 'the reference does not write it, and no phase reads it', 'IX-35'),
  ...gap('later', DOCKERFILES, 'IX-50', 'IX-51', 'IX-52', 'IX-53', 'IX-54', 'IX-55', 'IX-57', 'IX-58'),
  ...gap(
    'later',
    'the exporter’s half is checked; writing it belongs to the extender',
    'IX-56',
    'IX-59',
    'IX-60',
  ),
  ...gap('open', 'the rebaser has its own tests, and no row here yet', 'IX-71'),
  ...gap('none', 'a remark on how to build it', 'IX-72'),
]
