import { setTimeout as delay } from 'node:timers/promises';
import type { AppName, AppProcess, AppProcesses } from '../../support/app-processes.js';
import { until } from '../../support/until.js';
import type { ProcessEvent } from '../judge/evidence.js';

/** Restart delay, as of a supervisor in production. */
const RESTART_MS = 500;
const READY_LIMIT_MS = 60_000;

/** The apps' processes under a supervisor, and a record of their starts and ends. */
export class Supervised {
  readonly events: ProcessEvent[] = [];
  /** Requested ends, by process. */
  private readonly asked = new Set<string>();
  /** Processes that are not restarted for now. */
  private readonly held = new Set<string>();
  private readonly retired = new Set<string>();

  constructor(private readonly apps: AppProcesses) {}

  /** Starts a process, and restarts it after each end. */
  async add(app: AppName, instance: number): Promise<AppProcess> {
    this.retired.delete(`${app}-${instance}`);
    this.noteName(`${app}-${instance}`, app, 'started');
    const added = await this.apps.add(app, instance);
    this.note(added, 'ready');
    void this.keep(added);
    return added;
  }

  /** Starts a process that must not become ready, without restarts. */
  async begin(app: AppName, instance: number): Promise<AppProcess> {
    this.noteName(`${app}-${instance}`, app, 'started');
    const { process, ready } = await this.apps.begin(app, instance);
    ready.catch(() => undefined);
    return process;
  }

  /** Stops a process by SIGTERM, as `npm start`, without a restart. */
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

  /** Sends SIGTERM. @returns time until the end, ms */
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

  /** Suspends restarts until `release`. */
  hold(process: AppProcess): void {
    this.held.add(process.name);
  }

  release(process: AppProcess): void {
    this.held.delete(process.name);
  }

  /** Resolves when all processes are ready. */
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
      // A process that is not ready in time, or ends at once, is restarted in the next round.
      await process.server.start().then(
        () => this.note(process, 'ready'),
        () => undefined,
      );
    }
  }
}
