import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKafka } from '../../scripts/lib/kafka.mjs';
import { fetchKafkaLibs } from '../../scripts/lib/kafka-libs.mjs';
import { freePort } from '../../scripts/lib/ports.mjs';
import { startPostgres } from '../../scripts/lib/postgres.mjs';
import { STARTED_SERVERS } from './global-state.mjs';

/** One real Kafka and one real PostgreSQL for all files of a run; each file keeps to its own topics and database. */
export default async function setUp() {
  await fetchKafkaLibs({ note: () => undefined });
  const root = await mkdtemp(join(tmpdir(), 'posthorn-test-'));
  const [kafka, postgres] = await Promise.all([
    startKafka({ dir: join(root, 'kafka'), port: await freePort() }),
    startPostgres({ dir: join(root, 'postgres'), port: await freePort(), isDurable: false }),
  ]);
  STARTED_SERVERS.push({ root, servers: [kafka, postgres] });
  process.env.KAFKA_BROKERS = kafka.brokers.join(',');
  process.env.DATABASE_URL = postgres.url;
}
