/**
 * The other half of the starter (native/src/starter.c): it hides variables that would change how Node itself starts, and
 * this puts them back, so that everything started from here sees the caller's environment. Imported for its effect, as
 * the first import of a program that the starter starts; without the starter it changes nothing.
 */
const HIDDEN = '_SLIPWAY_ENV_'

/** Gives each `_SLIPWAY_ENV_<name>` of an environment its name back. */
export function restoreEnvironment(environment: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(HIDDEN)) continue
    delete environment[name]
    environment[name.slice(HIDDEN.length)] = value
  }
}

restoreEnvironment(process.env)
