import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Load } from '../../support/load.js';
import { until } from '../../support/until.js';
import { TortureReceiver } from '../evidence/receiver.js';
import type { ReplacedLogs } from '../evidence/replaced-logs.js';
import type {
  EndpointUnderTest,
  FaultEvent,
  ReceivedRequest,
  RestoredDatabase,
  TopicContents,
} from '../judge/evidence.js';
import { createEndpoints, type EndpointName, type TestedEndpoint, typeOf } from './endpoints.js';
import { Ledger } from './ledger.js';
import type { Quiet } from './quiet.js';
import type { TortureSystem } from './torture-system.js';
import { Work } from './work.js';

const RESOURCES = 50;
/** Pause between two events of a resource: 125 events per second in total. */
const EVERY_MS = 400;
const QUIET_LIMIT_MS = 90_000;

interface Parts {
  system: TortureSystem;
  name: string;
  endpoints: Readonly<Record<EndpointName, TestedEndpoint>>;
  receiver: TortureReceiver;
  ledger: Ledger;
  load: Load;
  /** Work in flight of each process. */
  work: Work;
  folder: string;
}

/** One run of a fault: its own endpoints, receiver and load, on a system that may have had other runs. */
export class TortureRun {
  readonly faults: FaultEvent[] = [];
  readonly startedAt = Date.now();
  /** Records read before a fault deletes them from the logs. */
  topicsBefore: readonly TopicContents[] = [];
  /** Logs that a fault replaced by empty ones, with the time. */
  replaced: ReplacedLogs | undefined;
  /** The restored database, if a fault restored one. */
  restored: RestoredDatabase | undefined;
  loadEndedAt = 0;
  quietAt: number | undefined;

  readonly system: TortureSystem;
  readonly name: string;
  readonly endpoints: Parts['endpoints'];
  readonly receiver: TortureReceiver;
  readonly ledger: Ledger;
  readonly load: Load;
  readonly work: Work;
  private readonly folder: string;

  private constructor(parts: Parts) {
    this.system = parts.system;
    this.name = parts.name;
    this.endpoints = parts.endpoints;
    this.receiver = parts.receiver;
    this.ledger = parts.ledger;
    this.load = parts.load;
    this.work = parts.work;
    this.folder = parts.folder;
  }

  static async open(system: TortureSystem, name: string, seed: number): Promise<TortureRun> {
    const folder = mkdtempSync(join(tmpdir(), 'posthorn-torture-run-'));
    const receiver = TortureReceiver.start(join(folder, 'receiver.jsonl'));
    const endpoints = await createEndpoints(system, receiver, { run: name, seed });
    const activeFrom = Math.max(...Object.values(endpoints).map((endpoint) => endpoint.activeFrom));
    await until('every router knows the endpoints', () => Date.now() >= activeFrom);
    const ledger = await Ledger.open(system);
    const load = new Load(ledger, {
      resources: RESOURCES,
      prefix: `${name}-`,
      everyMs: EVERY_MS,
      typeOf: (number) => `${name}.${typeOf(number)}`,
    });
    const work = await Work.of(system, ledger, Object.values(endpoints));
    return new TortureRun({ system, name, endpoints, receiver, ledger, load, work, folder });
  }

  /** Attempts in flight at the endpoints of this run. */
  async attemptsUnderWay(): Promise<number> {
    return Object.values(await this.receiver.count()).reduce((sum, { open }) => sum + open, 0);
  }

  /** One of the endpoints refuses connections while the work lasts. */
  async whileDown(work: () => Promise<void>): Promise<void> {
    const { hook } = this.endpoints.down;
    await this.receiver.behave(hook, { kind: 'down' });
    await work().finally(() => this.receiver.behave(hook, { kind: 'healthy' }));
  }

  /** Ends the load, and waits until the system is quiet. */
  async drain(quiet: Quiet): Promise<void> {
    await this.load.stop();
    this.loadEndedAt = Date.now();
    this.quietAt = await quiet.since(QUIET_LIMIT_MS);
  }

  requests(): Promise<ReceivedRequest[]> {
    const ids = Object.values(this.endpoints).map(({ hook, id }) => [hook, id] as const);
    return this.receiver.requests(new Map(ids));
  }

  get tested(): EndpointUnderTest[] {
    return Object.values(this.endpoints);
  }

  async close(): Promise<void> {
    await this.load.stop();
    await Promise.all([this.ledger.close(), this.work.stop(), this.receiver.stop()]);
    await Promise.all(Object.values(this.endpoints).map(({ link }) => link.close()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
