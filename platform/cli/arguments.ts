/** Options that may be repeated, as commander collects them. */

/** One value an option, commas separate more. */
export const collect = (value: string, before: readonly string[]): string[] => [
  ...before,
  ...value.split(','),
]

/** One value an option; a comma is part of it. */
export const collectWhole = (value: string, before: readonly string[]): string[] => [...before, value]
