import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Holds of an endpoint (breaker, pause, limits), its counts, and jobs that send many deliveries again. Columns have
 * defaults, so older processes can write endpoints. Their endpoints have no health row, and so no breaker, until a newer
 * process changes them.
 */
export class HoldEndpoints0003 implements MigrationInterface {
  readonly name = 'HoldEndpoints0000000000003';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...SETTINGS, ...HEALTH, ...RECOVERIES]) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE recoveries, endpoint_minutes');
    await runner.query('DROP INDEX dead_letters_to_replay, endpoint_health_cooling');
    await runner.query(`ALTER TABLE endpoints DROP COLUMN max_per_second, DROP COLUMN breaker_mode,
      DROP COLUMN breaker_threshold, DROP COLUMN breaker_cooldown_s, DROP COLUMN breaker_max_cooldown_s,
      DROP COLUMN max_parked_age_s, DROP COLUMN max_parked, DROP COLUMN paused_at`);
  }
}

const SETTINGS = [
  `ALTER TABLE endpoints
    ADD COLUMN max_per_second double precision,
    ADD COLUMN breaker_mode text NOT NULL DEFAULT 'automatic' CHECK (breaker_mode IN ('automatic', 'manual', 'discard')),
    ADD COLUMN breaker_threshold int NOT NULL DEFAULT 25,
    ADD COLUMN breaker_cooldown_s int NOT NULL DEFAULT 60,
    ADD COLUMN breaker_max_cooldown_s int NOT NULL DEFAULT 3600,
    ADD COLUMN max_parked_age_s int NOT NULL DEFAULT 604800,
    ADD COLUMN max_parked int NOT NULL DEFAULT 1000000,
    ADD COLUMN paused_at timestamptz`,
];

const HEALTH = [
  // Every endpoint has a row. A change of an endpoint locks this row first, then the endpoint's own.
  'INSERT INTO endpoint_health (endpoint_id) SELECT id FROM endpoints ON CONFLICT DO NOTHING',
  `CREATE INDEX endpoint_health_cooling ON endpoint_health (half_open_at) WHERE state = 'open'`,
  // Attempts by the minute, for the rates of the last hour; the janitor forgets older ones.
  `CREATE TABLE endpoint_minutes (
    endpoint_id text NOT NULL,
    minute timestamptz NOT NULL,
    attempts int NOT NULL,
    delivered int NOT NULL,
    duration_ms bigint NOT NULL,
    PRIMARY KEY (endpoint_id, minute)
  )`,
];

const RECOVERIES = [
  // A job's cursor advances in the transaction that owes what it sends: a page is sent once, or begun again.
  `CREATE TABLE recoveries (
    id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('endpoint', 'dead_letters')),
    tenant text,
    endpoint_id text,
    filter jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('counting', 'sending', 'done', 'failed', 'cancelled')),
    problem text,
    total int NOT NULL DEFAULT 0,
    sent int NOT NULL DEFAULT 0,
    skipped int NOT NULL DEFAULT 0,
    cursor jsonb,
    next_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    updated_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now())
  )`,
  `CREATE INDEX recoveries_to_do ON recoveries (next_at) WHERE state IN ('counting', 'sending')`,
  'CREATE INDEX recoveries_by_time ON recoveries (created_at, id)',
  // In the order in which their events were accepted: that is the order of a lane.
  `CREATE INDEX dead_letters_to_replay ON dead_letters (accepted_at, dlq_partition, dlq_offset)
    WHERE replayed_at IS NULL AND delivery_id IS NOT NULL`,
];
