import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../test/support/until.js';
import { endLeftovers, ProcessFile } from './process-file.mjs';

const folder = mkdtempSync(join(tmpdir(), 'posthorn-processes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pids: number[] = [];
afterEach(() => {
  for (const pid of pids.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // The process has ended.
    }
  }
});

/** Script that prints `ready`, and 100 ms after a signal the signal's name. */
const POLITE = `for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => setTimeout(() => process.exit(), 100));
setInterval(() => undefined, 1_000); console.log('ready');`;
/** Script that ignores SIGTERM. */
const STUBBORN = `process.on('SIGTERM', () => undefined); setInterval(() => undefined, 1_000); console.log('ready');`;

/** Starts a script and waits until it handles signals. At its end it appends to `ends`. @returns the pid */
async function started(name: string, script: string, ends: string[]): Promise<number> {
  const child = spawn(process.execPath, ['-e', script], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  child.once('exit', (_code, signal) => ends.push(signal === null ? name : `${name} by ${signal}`));
  await once(child.stdout, 'data');
  pids.push(Number(child.pid));
  return Number(child.pid);
}

const stage = (number: number) => ({ stage: number, stopSignal: 'SIGTERM' as const, graceMs: 5_000 });

describe('endLeftovers', () => {
  it('given apps and servers, then all apps end before a server gets its signal', async () => {
    const ends: string[] = [];
    const file = new ProcessFile(join(folder, 'staged.json'));
    file.write(
      { kafka: await started('kafka', POLITE, ends), dispatcher: await started('dispatcher', POLITE, ends) },
      { kafka: stage(1), dispatcher: stage(3) },
    );

    await endLeftovers(file.alive(), 10_000);

    await until('both ends are noticed', () => ends.length === 2);
    expect(ends).toEqual(['dispatcher', 'kafka']);
    expect(file.alive()).toEqual([]);
  });

  it('given a file of an earlier release, without stages, then servers stop last, too', async () => {
    const ends: string[] = [];
    const file = new ProcessFile(join(folder, 'former.json'));
    file.write({ postgres: await started('postgres', POLITE, ends), ingest: await started('ingest', POLITE, ends) });

    await endLeftovers(file.alive(), 10_000);

    await until('both ends are noticed', () => ends.length === 2);
    expect(ends).toEqual(['ingest', 'postgres']);
  });

  it('given a process that outlives its grace time, then it is killed', async () => {
    const ends: string[] = [];
    const file = new ProcessFile(join(folder, 'stubborn.json'));
    const app = { ...stage(3), graceMs: 200 };
    file.write({ control: await started('control', STUBBORN, ends) }, { control: app });

    await endLeftovers(file.alive(), 10_000);

    await until('its end is noticed', () => ends.length === 1);
    expect(ends).toEqual(['control by SIGKILL']);
  });

  it('given a truncated file, then no process is found', () => {
    const path = join(folder, 'broken.json');
    writeFileSync(path, '[{"name": "kaf');
    expect(new ProcessFile(path).alive()).toEqual([]);
  });
});
