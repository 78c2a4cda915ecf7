import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKafka } from '../../scripts/lib/kafka.mjs';
import { fetchKafkaLibs } from '../../scripts/lib/kafka-libs.mjs';
import { freePort } from '../../scripts/lib/ports.mjs';
import { startPostgres } from '../../scripts/lib/postgres.mjs';
import { endLeftovers, ProcessFile } from '../../scripts/lib/process-file.mjs';
import { STARTED } from './global-state.mjs';

const PREFIX = 'posthorn-test-';
const RUNNER = 'runner';

/** Starts one Kafka and one PostgreSQL for all files of a run. Each file uses its own topics and database. */
export default async function setUp() {
  await fetchKafkaLibs({ note: () => undefined });
  await clearUpAfterKilledRuns();
  const root = mkdtempSync(join(tmpdir(), PREFIX));
  const [kafka, postgres] = await Promise.all([
    startKafka({ dir: join(root, 'kafka'), port: await freePort() }),
    startPostgres({ dir: join(root, 'postgres'), port: await freePort(), isDurable: false }),
  ]);
  STARTED.push({ root, servers: [kafka, postgres] });
  const pids = { [RUNNER]: process.pid, kafka: Number(kafka.pid), postgres: Number(postgres.pid) };
  processFile(root).write(pids);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, endAtOnce);
  process.env.KAFKA_BROKERS = kafka.brokers.join(',');
  process.env.DATABASE_URL = postgres.url;
}

/** An interrupted Jest runs no global tear-down. */
function endAtOnce() {
  for (const { root, servers } of STARTED) {
    for (const server of servers) void server.kill();
    rmSync(root, { recursive: true, force: true });
  }
  process.exit(130);
}

async function clearUpAfterKilledRuns() {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const root = join(tmpdir(), name);
    const alive = processFile(root).alive();
    if (alive.length === 0 || alive.some((entry) => entry.name === RUNNER)) continue;
    await endLeftovers(alive, 0);
    rmSync(root, { recursive: true, force: true });
  }
}

/** @param {string} root */
function processFile(root) {
  return new ProcessFile(join(root, 'processes.json'));
}
