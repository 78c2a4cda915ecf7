import { randomBytes } from 'node:crypto';
import { runSql } from '../../scripts/lib/postgres.mjs';

/** host:port of the brokers all test files share; keep apart by {@link freshTopicPrefix}. */
export function testBrokers(): string[] {
  return provided('KAFKA_BROKERS').split(',');
}

/** A prefix for topics and groups that no other test file uses. */
export function freshTopicPrefix(): string {
  return `t${randomBytes(4).toString('hex')}.`;
}

export interface TestDatabase {
  /** Connection string; its user may do everything. */
  readonly url: string;
  /** Ends its connections and removes it. */
  drop(): Promise<void>;
}

/** A new, empty database on the shared server. */
export async function freshDatabase(): Promise<TestDatabase> {
  const server = provided('DATABASE_URL');
  const name = `t_${randomBytes(4).toString('hex')}`;
  await runSql(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => runSql(server, `drop database ${name} with (force)`).then(() => undefined) };
}

/** Set by global-setup.mjs. */
function provided(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is missing: only the integration and e2e projects have servers`);
  return value;
}
