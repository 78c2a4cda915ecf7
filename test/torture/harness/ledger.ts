import { randomUUID } from 'node:crypto';
import type { Producer } from 'kafkajs';
import { kafkaClient, keyedProducer } from '../../../scripts/lib/kafka-client.js';
import type { AppProcess } from '../../support/app-processes.js';
import type { EventInput } from '../../support/client.js';
import type { Doors } from '../../support/load.js';
import type { LedgerEntry } from '../judge/evidence.js';
import type { TortureSystem } from './torture-system.js';

const TENANT = 'default';
/** Longer than the API's timeout for Kafka. */
const HTTP_TIMEOUT_MS = 15_000;

/** Both doors of a system, and a ledger of every publish: start, end and result. */
export class Ledger implements Doors {
  readonly entries: LedgerEntry[] = [];
  private tries = 0;
  /** HTTP requests in flight, by ingest process. */
  private readonly waiting = new Map<string, number>();

  private constructor(
    private readonly system: TortureSystem,
    private readonly producer: Producer,
  ) {}

  static async open(system: TortureSystem): Promise<Ledger> {
    const kafka = kafkaClient({ clientId: 'producer', brokers: system.brokers.direct, isQuiet: true });
    const producer = keyedProducer(kafka);
    await producer.connect();
    return new Ledger(system, producer);
  }

  close(): Promise<void> {
    return this.producer.disconnect();
  }

  /** Number of HTTP requests in flight at this process. */
  unanswered(process: string): number {
    return this.waiting.get(process) ?? 0;
  }

  /** Publishes over HTTP, round-robin over the processes of ingest. */
  async publish(event: EventInput): Promise<void> {
    const apis = this.system.apps.all().filter(({ app }) => app === 'ingest');
    const api = apis[this.tries++ % apis.length];
    if (api === undefined) throw new Error('no ingest to publish to');
    this.waiting.set(api.name, this.unanswered(api.name) + 1);
    await this.note(event, 'http', () => this.post(api, event)).finally(() => {
      this.waiting.set(api.name, this.unanswered(api.name) - 1);
    });
  }

  async publishByKafka(event: EventInput): Promise<void> {
    await this.note(event, 'kafka', async () => {
      const message = { key: event.resource_id ?? randomUUID(), value: JSON.stringify(event) };
      const [written] = await this.producer.send({ topic: 'ingest', acks: -1, messages: [message] });
      const position = written && { partition: written.partition, offset: Number(written.baseOffset) };
      return { detail: 'stored', outcome: 'ok', position };
    });
  }

  /** Records an event that another writer publishes, e.g. a transaction. */
  async publishAs(event: EventInput, write: () => Promise<LedgerEntry['position']>): Promise<void> {
    await this.note(event, 'kafka', async () => ({ detail: 'stored', outcome: 'ok', position: await write() }));
  }

  /** Records a poison record. @param position Kafka's position of the record */
  notePoison(name: string, invokedAt: number, position: LedgerEntry['position']): void {
    const none = { eventId: '', tenant: TENANT, type: '', resourceId: undefined, number: 0, door: 'kafka' } as const;
    const said = { endedAt: Date.now(), outcome: 'ok', detail: name, position, expects: 'dead_letter' } as const;
    this.entries.push({ ...none, ...said, invokedAt });
  }

  private async post({ url }: AppProcess, event: EventInput): Promise<Said> {
    const response = await fetch(`${url}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.system.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(event),
      signal: AbortSignal.timeout(HTTP_TIMEOUT_MS),
    });
    const detail = `${response.status} ${response.ok ? '' : await response.text()}`.trim();
    // A 503 may mean that Kafka did not acknowledge in time: the event may be stored.
    return { detail, outcome: response.ok ? 'ok' : response.status < 500 ? 'fail' : 'unknown', position: undefined };
  }

  /** @throws Error unless the event was acknowledged */
  private async note(event: EventInput, door: LedgerEntry['door'], work: () => Promise<Said>): Promise<void> {
    const invokedAt = Date.now();
    const said = await work().catch(unanswered);
    const { number } = event.data as { number: number };
    this.entries.push({
      eventId: event.id ?? '',
      tenant: TENANT,
      type: event.type,
      resourceId: event.resource_id,
      number,
      door,
      invokedAt,
      endedAt: said.isUnanswered ? undefined : Date.now(),
      outcome: said.outcome,
      detail: said.detail,
      position: said.position,
      expects: 'delivery',
    });
    if (said.outcome !== 'ok') throw new Error(said.detail);
  }
}

interface Said extends Pick<LedgerEntry, 'outcome' | 'detail' | 'position'> {
  readonly isUnanswered?: boolean;
}

/** After a refused connection the event is not stored. After any other error it may be. */
function unanswered(error: Error & { cause?: { code?: string } }): Said {
  const isRefused = error.cause?.code === 'ECONNREFUSED';
  const detail = error.cause?.code ?? error.message;
  return { detail, outcome: isRefused ? 'fail' : 'unknown', position: undefined, isUnanswered: true };
}
