import { rm } from 'node:fs/promises';
import { STARTED } from './global-state.mjs';

export default async function tearDown() {
  for (const { root, servers } of STARTED) {
    await Promise.all(servers.map((server) => server.kill()));
    await rm(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
