// biome-ignore lint/performance/noBarrelFile: scripts/reseal.mjs loads the compiled file by this path.
export { usedKeys } from './secrets/sealing-keys.js';
