import type { Gap } from '../row.ts'

const gap = (kind: Gap['gap'], reason: string, ...ids: readonly string[]): readonly Gap[] =>
  ids.map((id) => ({ id, gap: kind, reason }))

const DOCKERFILES = 'belongs to the extender, which is not there yet'

/** What no check covers, and why; an id that stands in another file too is covered in part. */
export const GAPS: readonly Gap[] = [
  ...gap('none', 'no supported version is deprecated, and no list of them leaves the program', 'V-3'),
  ...gap('elsewhere', 'the packed lifecycle: the packaging has its own tests', 'V-50', 'V-51'),
  ...gap('elsewhere', 'parsing of references: oci/reference.test.ts', 'C-11'),
  ...gap('none', 'refers to §3, whose requirements have rows of their own', 'D-3'),
  ...gap('none', 'refers to §5, whose requirements have rows of their own', 'E-3'),
  ...gap('later', DOCKERFILES, 'X-0'),
  ...gap('none', 'a permission, and the reference does not use it', 'R-7'),
  ...gap('elsewhere', 'broken cache contents are LR-5', 'R-9'),
  ...gap('later', 'for a layout not checked yet', 'RR-2'),
  ...gap('elsewhere', 'the mirrors that are recorded: spec/run-image.test.ts', 'RR-3'),
  ...gap('elsewhere', 'as root, for a user: lifecycle/commands/creator.integration.test.ts', 'AU-4', 'C-9'),
  ...gap('elsewhere', 'media types and compression: oci/write-image.test.ts', 'TR-7'),
  ...gap(
    'none',
    'one command reaches registries, layouts or a daemon, never two of them; names in several registries are A-1 and E-1',
    'RU-4',
  ),
  ...gap('elsewhere', 'docker, containerd’s store and podman for real: test/daemon', 'SV-3'),
  ...gap('elsewhere', 'retries: core/http/retry.test.ts, oci/registry/faults.test.ts', 'SV-5'),
  ...gap('elsewhere', 'CA-3 and LR-4 hold it: one digest for cache and image', 'CA-6'),
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
  ...gap('none', 'a remark on how to build it', 'IX-72'),
  ...gap('elsewhere', 'the default builder: builders/default-builder.test.ts', 'DI-1', 'DI-2', 'DI-3'),
  ...gap(
    'none',
    'what operators promise of their images; RB-6 and RB-7 check what can be seen of it',
    'DI-4',
  ),
  ...gap('elsewhere', 'every check above reads such buildpacks; builders/buildpack-folder.test.ts', 'DI-10'),
  ...gap('later', 'buildpacks are read from directories only', 'DI-11'),
  ...gap(
    'later',
    'nothing packages composites yet; the lifecycle enforces it no more than the reference',
    'DI-12',
  ),
  ...gap(
    'later',
    'buildpackages are neither read nor written yet',
    'DI-20',
    'DI-21',
    'DI-23',
    'DI-26',
    'DI-27',
  ),
  ...gap('elsewhere', 'layers of buildpacks: builders/buildpack-folder.test.ts', 'DI-22'),
  ...gap('elsewhere', 'labels of the default builder: builders/default-builder.test.ts', 'DI-24', 'DI-44'),
  ...gap('none', 'a draft’s names, which nobody writes', 'DI-25'),
  ...gap('later', 'package.toml and builder.toml are not read yet', 'DI-30', 'DI-50'),
  ...gap('elsewhere', 'the default builder: builders/default-builder.test.ts', 'DI-40', 'DI-41'),
  ...gap('none', 'the order in which another program writes layers; no reader asks for it', 'DI-42'),
  ...gap('elsewhere', 'the packed lifecycle: builders/package/package.integration.test.ts', 'DI-43', 'DI-45'),
  ...gap('later', 'project.toml is not read yet', 'DI-60', 'DI-61', 'DI-62'),
  ...gap('elsewhere', 'LA-1 holds it', 'DI-63'),
]
