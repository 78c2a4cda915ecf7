import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Waiting lanes of the dispatchers (docs/ordering.md). New tables only: older processes neither know nor need them.
 */
export class CreateLanes0002 implements MigrationInterface {
  readonly name = 'CreateLanes0000000000002';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of LANES) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE endpoint_health, lane_commands, parked_deliveries, lane_rows, lane_logs');
  }
}

const LANES = [
  // One row per partition of `deliveries`. Each new owner of the partition raises the epoch.
  `CREATE TABLE lane_logs (
    log text PRIMARY KEY,
    epoch bigint NOT NULL,
    raised_at timestamptz NOT NULL
  )`,
  // A lane's watermark: everything below place is over; with an attempt, the delivery at place is the head.
  `CREATE TABLE lane_rows (
    log text NOT NULL,
    lane text NOT NULL,
    endpoint_id text NOT NULL,
    place bigint NOT NULL,
    attempt int,
    due_at timestamptz,
    delivery_id text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (log, lane)
  )`,
  'CREATE INDEX lane_rows_by_endpoint ON lane_rows (endpoint_id, lane) WHERE attempt IS NOT NULL',
  'CREATE INDEX lane_rows_by_place ON lane_rows (log, place)',
  // The record as it was read, so that it can be sent, handed to a tier or given up as if it came from the log.
  `CREATE TABLE parked_deliveries (
    log text NOT NULL,
    lane text NOT NULL,
    place bigint NOT NULL,
    endpoint_id text NOT NULL,
    delivery_id text NOT NULL,
    attempt int NOT NULL,
    header text NOT NULL,
    extra_headers jsonb,
    body bytea NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL,
    PRIMARY KEY (log, lane, place)
  )`,
  'CREATE INDEX parked_by_endpoint ON parked_deliveries (log, endpoint_id, place)',
  // Covers counts, lists and limits, so that none of them reads the records with their bodies.
  `CREATE INDEX parked_by_age ON parked_deliveries (endpoint_id, parked_at) INCLUDE (log, lane, place, reason)`,
  'CREATE INDEX parked_by_delivery ON parked_deliveries (delivery_id)',
  // The breaker's state and its counts. The projector changes them with the outcomes that cause the change.
  `CREATE TABLE endpoint_health (
    endpoint_id text PRIMARY KEY,
    state text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half_open')),
    consecutive_dead int NOT NULL DEFAULT 0,
    openings int NOT NULL DEFAULT 0,
    opened_at timestamptz,
    half_open_at timestamptz,
    probe_until timestamptz,
    last_success_at timestamptz,
    last_failure_at timestamptz
  )`,
  // Commands of operators to a lane's owner. They hold the record to give up: the head's own waits in a tier.
  `CREATE TABLE lane_commands (
    log text NOT NULL,
    lane text NOT NULL,
    place bigint NOT NULL,
    kind text NOT NULL CHECK (kind = 'skip'),
    attempt int NOT NULL,
    header text NOT NULL,
    body bytea NOT NULL,
    asked_at timestamptz NOT NULL,
    PRIMARY KEY (log, lane, place)
  )`,
];
