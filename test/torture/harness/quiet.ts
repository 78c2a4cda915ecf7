import { setTimeout as delay } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { kafkaClient } from '../../../scripts/lib/kafka-client.js';
import { runSql } from '../../../scripts/lib/postgres.mjs';
import type { TortureSystem } from './torture-system.js';

/** The topics that each group reads. Together they cover every topic. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  router: ['ingest'],
  dispatcher: ['deliveries'],
  'retry-scheduler': [4, 16, 64, 256, 1024, 4096, 16384, 65536].map((seconds) => `retry-${seconds}s`),
  control: ['attempts', 'dlq'],
};
const WAITING_SQL = `SELECT (SELECT count(*) FROM parked_deliveries) + (SELECT count(*) FROM outbox)
  + (SELECT count(*) FROM lane_rows WHERE attempt IS NOT NULL) AS waiting`;
const CHECK_EVERY_MS = 250;

/** Detects when a system is quiet: all records are finished and committed, and no row waits. */
export class Quiet {
  private constructor(
    private readonly admin: Admin,
    private readonly databaseUrl: string,
  ) {}

  static async of(system: TortureSystem): Promise<Quiet> {
    const kafka = kafkaClient({ clientId: 'quiet', brokers: system.brokers.direct, isQuiet: true });
    const admin = kafka.admin();
    await admin.connect();
    return new Quiet(admin, system.postgresUrl);
  }

  /** @returns time since which the system is quiet; undefined after the limit */
  async since(limitMs: number): Promise<number | undefined> {
    for (const deadline = Date.now() + limitMs; Date.now() < deadline; ) {
      const at = Date.now();
      // Two checks: work that the first check saw finished may have caused further records.
      if ((await this.isQuiet()) && (await this.isQuiet())) return at;
      await delay(CHECK_EVERY_MS);
    }
    return undefined;
  }

  /** Deletes finished records and rows, so that the next run reads only its own evidence. */
  async forget(): Promise<void> {
    for (const topic of Object.values(GROUPS).flat()) {
      const ends = await this.admin.fetchTopicOffsets(topic);
      const partitions = ends.map(({ partition, high }) => ({ partition, offset: high }));
      await this.admin.deleteTopicRecords({ topic, partitions });
    }
    await runSql(this.databaseUrl, 'TRUNCATE events, deliveries, attempts, dead_letters');
  }

  async stop(): Promise<void> {
    await this.admin.disconnect();
  }

  private async isQuiet(): Promise<boolean> {
    try {
      const behind = await Promise.all(Object.entries(GROUPS).map(([group, topics]) => this.behind(group, topics)));
      if (behind.flat().length > 0) return false;
      const [row] = await runSql(this.databaseUrl, WAITING_SQL);
      return Number(row?.waiting) === 0;
    } catch {
      // Without an answer of a server, the system is not quiet.
      return false;
    }
  }

  private async behind(group: string, topics: readonly string[]): Promise<string[]> {
    const committed = await this.admin.fetchOffsets({ groupId: group, topics: [...topics] });
    const found: string[] = [];
    for (const { topic, partitions } of committed) {
      for (const { partition, high } of await this.admin.fetchTopicOffsets(topic)) {
        const offset = Number(partitions.find((candidate) => candidate.partition === partition)?.offset ?? -1);
        // A log without records has no commit.
        const isBehind = offset < 0 ? Number(high) > 0 : offset < Number(high);
        if (isBehind) found.push(`${topic}/${partition}: ${offset} of ${high}`);
      }
    }
    return found;
  }
}
