import { setTimeout as delay } from 'node:timers/promises';
import type { AppName, AppProcess, AppProcesses } from '../../support/app-processes.js';
import { until } from '../../support/until.js';
import type { ProcessEvent } from '../judge/evidence.js';

/** As a supervisor in production would wait before it starts a process again. */
const RESTART_MS = 500;
const READY_LIMIT_MS = 60_000;

/** The apps' processes under a supervisor, and a record of what happened to them. */
export class Supervised {
  readonly events: ProcessEvent[] = [];
  /** Ends that somebody asked for, by process. */
  private readonly asked = new Set<string>();
  /** Not to be started again for now. */
  private readonly held = new Set<string>();
  private readonly retired = new Set<string>();

  constructor(private readonly apps: AppProcesses) {}

  /** Starts a process, and again whenever it ends. */
  async add(app: AppName, instance: number): Promise<AppProcess> {
    this.retired.delete(`${app}-${instance}`);
    this.noteName(`${app}-${instance}`, app, 'started');
    const added = await this.apps.add(app, instance);
    this.note(added, 'ready');
    void this.keep(added);
    return added;
  }

  /** Starts a process that is not to become ready; it is not started again. */
  async begin(app: AppName, instance: number): Promise<AppProcess> {
    this.noteName(`${app}-${instance}`, app, 'started');
    const { process, ready } = await this.apps.begin(app, instance);
    ready.catch(() => undefined);
    return process;
  }

  /** SIGTERM, as `npm start` would; it is not started again. */
  async remove(process: AppProcess): Promise<void> {
    this.retired.add(process.name);
    this.asked.add(process.name);
    this.note(process, 'stopping');
    await this.apps.remove(process);
    this.note(process, 'stopped');
  }

  async kill(process: AppProcess): Promise<void> {
    if (!process.server.isAlive) return;
    this.asked.add(process.name);
    this.note(process, 'killed');
    await process.server.kill();
  }

  /** SIGTERM. @returns how long it took to end, ms */
  async terminate(process: AppProcess): Promise<number> {
    const startedAt = Date.now();
    this.asked.add(process.name);
    this.note(process, 'stopping');
    await process.server.stop();
    this.note(process, 'stopped');
    return Date.now() - startedAt;
  }

  freeze(process: AppProcess): void {
    this.note(process, 'frozen');
    process.server.child?.signalGroup('SIGSTOP');
  }

  thaw(process: AppProcess): void {
    process.server.child?.signalGroup('SIGCONT');
    this.note(process, 'continued');
  }

  /** What ends stays down until `release`. */
  hold(process: AppProcess): void {
    this.held.add(process.name);
  }

  release(process: AppProcess): void {
    this.held.delete(process.name);
  }

  /** Resolves when all processes serve. */
  async allReady(): Promise<void> {
    const isReady = async ({ url, server }: AppProcess) =>
      server.isAlive && (await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) })).ok;
    for (const process of this.apps.all()) {
      await until(`${process.name} is ready`, () => isReady(process).catch(() => false), READY_LIMIT_MS);
    }
  }

  retireAll(): void {
    for (const { name } of this.apps.all()) this.retired.add(name);
  }

  note({ name, app }: AppProcess, kind: ProcessEvent['kind']): void {
    this.noteName(name, app, kind);
  }

  noteName(process: string, app: ProcessEvent['app'], kind: ProcessEvent['kind']): void {
    this.events.push({ at: Date.now(), process, app, kind });
  }

  private async keep(process: AppProcess): Promise<void> {
    for (;;) {
      await process.server.child?.ended;
      if (this.retired.has(process.name)) return;
      if (!this.asked.delete(process.name)) this.note(process, 'exited');
      await delay(RESTART_MS);
      while (this.held.has(process.name)) await delay(50);
      if (this.retired.has(process.name)) return;
      this.note(process, 'started');
      // One that is not ready in time, or ends at once, is left to the next round.
      await process.server.start().then(
        () => this.note(process, 'ready'),
        () => undefined,
      );
    }
  }
}
