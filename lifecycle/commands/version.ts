/** Put in when the program is bundled. */
declare const SLIPWAY_VERSION: string | undefined

/** The version of this lifecycle; that of a run from the sources says so. */
export const VERSION: string = typeof SLIPWAY_VERSION === 'string' ? SLIPWAY_VERSION : '0.0.0-source'
