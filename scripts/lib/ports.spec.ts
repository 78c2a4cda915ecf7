import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const PROCESSES = 6;
const PORTS = 60;

/** Takes ports, reports them, and lives until the parent has the reports of all processes. */
const TAKER = `
import { freePort } from '${pathToFileURL(resolve('scripts/lib/ports.mjs'))}';
process.send(await Promise.all(Array.from({ length: ${PORTS} }, () => freePort())));
process.once('message', () => process.disconnect());
`;

const folder = mkdtempSync(join(tmpdir(), 'posthorn-ports-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('given processes that take ports at the same time, then each port has one owner', async () => {
  const script = join(folder, 'taker.mjs');
  writeFileSync(script, TAKER);
  const takers = Array.from({ length: PROCESSES }, () => fork(script));
  const taken = takers.map((taker) => new Promise<number[]>((done) => taker.once('message', done as () => void)));
  const ports = (await Promise.all(taken)).flat();
  for (const taker of takers) taker.send('end');

  expect(ports.length).toBe(PROCESSES * PORTS);
  expect(new Set(ports).size).toBe(ports.length);
});
