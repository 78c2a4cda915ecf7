import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Numbers every change of endpoints and API keys, so that a database restored from a backup is recognised: the compacted
 * topics then name a change that it does not know.
 *
 * Columns have defaults for older processes: their changes have no numbers, and count by version alone.
 */
export class NumberConfiguration0007 implements MigrationInterface {
  readonly name = 'NumberConfiguration0000000000007';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...CHANGES, ...GAPS]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE configuration_changes, projector_gaps');
    await runner.query('ALTER TABLE endpoints DROP COLUMN sequence, DROP COLUMN change_id');
    await runner.query('ALTER TABLE api_keys DROP COLUMN sequence, DROP COLUMN change_id');
  }
}

const CHANGES = [
  // One row a change, numbered without gaps in the order of commits. The id is random: a restored database gives a number
  // again, but never the id. The janitor keeps the newest rows.
  `CREATE TABLE configuration_changes (
    sequence bigint PRIMARY KEY,
    id text NOT NULL DEFAULT replace(gen_random_uuid()::text, '-', ''),
    topic text,
    key text,
    at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now())
  )`,
  // An API key's version is the sequence of its change: the first one is above every version given so far.
  `INSERT INTO configuration_changes (sequence)
    SELECT 1 + greatest((SELECT coalesce(max(version), 0) FROM endpoints), (SELECT coalesce(max(version), 0) FROM api_keys))`,
  `ALTER TABLE endpoints ADD COLUMN sequence bigint NOT NULL DEFAULT 0, ADD COLUMN change_id text NOT NULL DEFAULT ''`,
  `ALTER TABLE api_keys ADD COLUMN sequence bigint NOT NULL DEFAULT 0, ADD COLUMN change_id text NOT NULL DEFAULT ''`,
];

const GAPS = [
  // Records that Kafka calls projected and this database does not have: it was restored from a backup.
  `CREATE TABLE projector_gaps (
    topic text NOT NULL,
    partition int NOT NULL,
    from_offset bigint NOT NULL,
    to_offset bigint NOT NULL,
    since timestamptz NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, from_offset)
  )`,
];
