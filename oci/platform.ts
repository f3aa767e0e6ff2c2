import { arch } from 'node:process'
import type { Descriptor, Platform } from './image.ts'

/** The platform that containers of this machine have: Linux, in Go's names of architectures. */
export function hostPlatform(): Platform {
  const names: Readonly<Record<string, string>> = {
    x64: 'amd64',
    arm64: 'arm64',
    ppc64: 'ppc64le',
    ia32: '386',
  }
  return { os: 'linux', architecture: names[arch] ?? arch }
}

/** `linux/arm64/v8` */
export function platformName(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter((part) => part !== undefined).join('/')
}

/**
 * The entry of an index for a platform: the same system and architecture, the same variant rather than none, none
 * rather than another. Where the index has but one image without a platform, that one.
 */
export function choosePlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const fitting = manifests.filter(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  )
  const [first] = fitting
  if (first === undefined) {
    const [only, ...others] = manifests
    return only?.platform === undefined && others.length === 0 ? only : undefined
  }
  if (wanted.variant === undefined)
    return fitting.find(({ platform }) => platform?.variant === undefined) ?? first
  return (
    fitting.find(({ platform }) => platform?.variant === wanted.variant) ??
    fitting.find(({ platform }) => platform?.variant === undefined)
  )
}
