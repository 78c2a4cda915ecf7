import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { AppName, AppProcess } from '../../support/app-processes.js';
import { hitAtWork } from './at-work.js';
import type { Scene } from './fault.js';

/** Records actions on processes. Each count returns the next number of the script; the last number repeats. */
class Stage {
  readonly log: string[] = [];
  readonly scene: Scene;

  constructor(private readonly looks: Readonly<Record<string, number[]>>) {
    const noted = (what: string) => async (process: AppProcess) => void this.log.push(`${what} ${process.name}`);
    const supervised = { kill: noted('kill'), terminate: noted('terminate'), freeze: noted('freeze') };
    const underWay = async ({ name }: AppProcess) => this.look(name);
    const last = async (ms: number) => void jest.advanceTimersByTime(ms);
    this.scene = { system: { supervised }, run: { work: { underWay } }, last } as unknown as Scene;
  }

  process(app: AppName, instance: number): AppProcess {
    const name = `${app}-${instance}`;
    const signalGroup = (signal: string) => void this.log.push(`${signal} ${name}`);
    return { app, name, url: '', server: { child: { signalGroup } } } as unknown as AppProcess;
  }

  private look(name: string): number {
    const left = this.looks[name] ?? [];
    return (left.length > 1 ? left.shift() : left[0]) ?? 0;
  }
}

describe('a process that is hit with work in flight', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('given an idle process, then the fault waits for work, and counts the work while the process is stopped', async () => {
    const stage = new Stage({ 'control-0': [0, 5, 0, 4, 3] });
    const { inFlight } = await hitAtWork(stage.scene, [stage.process('control', 0)], 'kill');

    expect(inFlight).toBe(3);
    expect(stage.log).toEqual(['SIGSTOP control-0', 'SIGCONT control-0', 'SIGSTOP control-0', 'kill control-0']);
  });

  it('given an orderly stop, then the process continues after the signal', async () => {
    const stage = new Stage({ 'ingest-1': [1] });
    const { ended } = await hitAtWork(stage.scene, [stage.process('ingest', 1)], 'terminate');
    await ended;

    expect(stage.log).toEqual(['SIGSTOP ingest-1', 'terminate ingest-1', 'SIGCONT ingest-1']);
  });

  it('given several processes, then all are hit at once, when each app has work', async () => {
    const stage = new Stage({ 'ingest-0': [2], 'ingest-1': [0], 'control-0': [0, 0, 1] });
    const all = [stage.process('ingest', 0), stage.process('ingest', 1), stage.process('control', 0)];
    const { inFlight } = await hitAtWork(stage.scene, all, 'freeze');

    expect(inFlight).toBe(3);
    expect(stage.log.slice(0, 3)).toEqual(['SIGSTOP ingest-0', 'SIGSTOP ingest-1', 'SIGSTOP control-0']);
    expect(stage.log.slice(3)).toEqual(['freeze ingest-0', 'freeze ingest-1', 'freeze control-0']);
  });

  it('given a process that stays idle, then it is hit at the end, and the fault is recorded without work', async () => {
    const stage = new Stage({});
    const { inFlight } = await hitAtWork(stage.scene, [stage.process('dispatcher', 0)], 'kill');

    expect(inFlight).toBe(0);
    expect(stage.log).toEqual(['SIGSTOP dispatcher-0', 'kill dispatcher-0']);
  });
});
