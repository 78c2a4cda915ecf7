import { setTimeout as delay } from 'node:timers/promises';
import type { Admin, Kafka } from 'kafkajs';
import pg from 'pg';
import { decodeFinished } from '#common/domain/finished-runs.js';
import type { CommitSample, CommittedPosition } from '../judge/evidence.js';

const GROUPS = ['router', 'dispatcher', 'retry-scheduler'];
const INTERVAL_MS = 200;
const QUERY_TIMEOUT_MS = 1_000;
const PARKED = 'SELECT delivery_id FROM parked_deliveries';

/**
 * Samples the groups' commits every 200 ms, and then the parked rows. Without an answer from Kafka there is no sample;
 * without one from PostgreSQL, the sample lacks parked rows.
 */
export class CommitSampler {
  readonly samples: CommitSample[] = [];
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;
  private database: pg.Client | undefined;

  private constructor(
    private readonly admin: Admin,
    private readonly databaseUrl: string,
  ) {
    this.running = this.run();
  }

  /** @param kafka and `databaseUrl`: direct connections to the servers, past any proxy */
  static async start(kafka: Kafka, databaseUrl: string): Promise<CommitSampler> {
    const admin = kafka.admin({ retry: { retries: 0 } });
    await admin.connect();
    return new CommitSampler(admin, databaseUrl);
  }

  /** Takes a last sample, of the state after the run. */
  async stop(): Promise<CommitSample[]> {
    this.stopping.abort();
    await this.running;
    await this.take();
    await this.database?.end().catch(() => undefined);
    await this.admin.disconnect();
    return this.samples;
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.take();
      await delay(INTERVAL_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
  }

  private async take(): Promise<void> {
    const beganAt = Date.now();
    try {
      const positions = (await Promise.all(GROUPS.map((group) => this.positionsOf(group)))).flat();
      const parked = await this.parked();
      this.samples.push({ beganAt, endedAt: Date.now(), positions, parked });
    } catch {
      // Kafka is away. The client reconnects automatically, or with the next call.
      await this.admin.connect().catch(() => undefined);
    }
  }

  private async positionsOf(group: string): Promise<CommittedPosition[]> {
    const committed = await this.admin.fetchOffsets({ groupId: group });
    return committed.flatMap(({ topic, partitions }) =>
      partitions
        .filter(({ offset }) => Number(offset) >= 0)
        .map(({ partition, offset, metadata }) => ({
          group,
          topic,
          partition,
          offset: Number(offset),
          finishedAbove: decodeFinished(Number(offset), metadata),
        })),
    );
  }

  private async parked(): Promise<ReadonlySet<string> | undefined> {
    try {
      this.database ??= await this.connect();
      const { rows } = await this.database.query<{ delivery_id: string }>(PARKED);
      return new Set(rows.map(({ delivery_id }) => delivery_id));
    } catch {
      const broken = this.database;
      this.database = undefined;
      broken?.end().catch(() => undefined);
      return undefined;
    }
  }

  private async connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.databaseUrl,
      connectionTimeoutMillis: QUERY_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
    });
    // The connection may break between two queries; the next query reports the error.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }
}
