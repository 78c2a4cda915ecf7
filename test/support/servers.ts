import { randomBytes } from 'node:crypto';
import { runSql } from '../../scripts/lib/postgres.mjs';

/** host:port of the brokers. All test files share them, and use a {@link freshTopicPrefix} each. */
export function testBrokers(): string[] {
  return provided('KAFKA_BROKERS').split(',');
}

/** A unique prefix for topics and groups. */
export function freshTopicPrefix(): string {
  return `t${randomBytes(4).toString('hex')}.`;
}

export interface TestDatabase {
  /** Connection string of a user with all rights. */
  readonly url: string;
  /** Closes its connections and drops it. */
  drop(): Promise<void>;
}

/** Creates an empty database on the shared server. */
export async function freshDatabase(): Promise<TestDatabase> {
  const server = provided('DATABASE_URL');
  const name = `t_${randomBytes(4).toString('hex')}`;
  await runSql(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => runSql(server, `drop database ${name} with (force)`).then(() => undefined) };
}

/** Reads a variable that global-setup.mjs sets. */
function provided(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is missing: only the integration and e2e projects have servers`);
  return value;
}
