/**
 * The window within which a recording's exchanges may be out of order: a request that began this long before the newest one
 * written goes to the late channel, in chunks of its own. A reader of a stream holds no more than this to restore order.
 */
export const WINDOW_NS = 10e9
