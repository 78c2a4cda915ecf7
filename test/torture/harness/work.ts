import { TIERS } from '../../../libs/common/src/domain/tier.js';
import { ATTEMPTS_TOPIC } from '../../../libs/common/src/records/topics.js';
import { kafkaClient } from '../../../scripts/lib/kafka-client.js';
import type { AppName, AppProcess } from '../../support/app-processes.js';
import type { TestedEndpoint } from './endpoints.js';
import type { Ledger } from './ledger.js';
import { portsOf } from './socket-owner.js';
import type { TortureSystem } from './torture-system.js';
import { type Reader, Unfinished } from './unfinished.js';

/** Topics of the groups whose work is counted by records. The work of other apps is counted by their connections. */
const READ: Readonly<Partial<Record<AppName, Omit<Reader, 'client'>>>> = {
  control: { group: 'control', topics: [ATTEMPTS_TOPIC] },
  'retry-scheduler': { group: 'retry-scheduler', topics: TIERS.map(({ topic }) => topic) },
};
/** Limit of a count: the process is stopped during the count. */
const COUNT_LIMIT_MS = 1_000;

/**
 * Work in flight of one process, measured from outside: HTTP requests of an ingest, attempts of a dispatcher,
 * deliveries in the tiers of a retry-scheduler, and attempts that a control has not projected.
 */
export class Work {
  private constructor(
    private readonly unfinished: Unfinished,
    private readonly ledger: Ledger,
    private readonly endpoints: readonly TestedEndpoint[],
  ) {}

  static async of(system: TortureSystem, ledger: Ledger, endpoints: readonly TestedEndpoint[]): Promise<Work> {
    const kafka = kafkaClient({ clientId: 'work', brokers: system.brokers.direct, isQuiet: true });
    return new Work(await Unfinished.of(kafka), ledger, endpoints);
  }

  stop(): Promise<void> {
    return this.unfinished.stop();
  }

  /** @returns 0 after the limit */
  async underWay({ app, name, server }: AppProcess): Promise<number> {
    if (app === 'ingest') return this.ledger.unanswered(name);
    if (app === 'dispatcher') return this.attempts(server.pid);
    const reader = READ[app];
    if (reader === undefined) return 0;
    const given = new Promise<number>((resolve) => setTimeout(resolve, COUNT_LIMIT_MS, 0).unref());
    return Promise.race([this.unfinished.records({ ...reader, client: `posthorn-${name}` }), given]);
  }

  private attempts(pid: number | undefined): number {
    const waiting = this.endpoints.flatMap(({ link }) => link.unanswered);
    if (pid === undefined || waiting.length === 0) return 0;
    const own = portsOf(pid);
    return waiting.filter((port) => own.has(port)).length;
  }
}
