/**
 * Servers that the set-up started, for the tear-down in the same process.
 *
 * @type {{ root: string, servers: import('../../scripts/lib/server.mjs').Server[] }[]}
 */
export const STARTED = [];
