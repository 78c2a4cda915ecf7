import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Generations of Kafka's logs: a topic that is deleted and made again, or a cluster that is replaced, gives a new log
 * whose offsets begin at 0 again.
 *
 * The table is new, and the defaults of the columns are right for rows of older processes: those rows are of generation 0.
 * No table is rewritten.
 */
export class CountGenerations0006 implements MigrationInterface {
  readonly name = 'CountGenerations0000000000006';

  async up(runner: QueryRunner): Promise<void> {
    // Without topic_id: the log is gone, and its id was never known. A marker in `endpoints` repeats the latest row.
    await runner.query(`CREATE TABLE log_generations (
      topic text NOT NULL,
      generation int NOT NULL,
      topic_id text,
      partitions int,
      first_seen_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
      -- Set when what waited in the log before is in PostgreSQL; owners of the partitions wait for it.
      carried_at timestamptz,
      -- How far the carrying over is; NULL when it is over, or was never needed.
      carry jsonb,
      PRIMARY KEY (topic, generation)
    )`);
    await runner.query('ALTER TABLE projector_offsets ADD COLUMN generation int NOT NULL DEFAULT 0');
    // The router fans out after it archived: an event archived after a new log began is in that log. Existing rows are older.
    await runner.query('ALTER TABLE events ADD COLUMN archived_at timestamptz');
    await runner.query('ALTER TABLE events ALTER COLUMN archived_at SET DEFAULT now()');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE events DROP COLUMN archived_at');
    await runner.query('ALTER TABLE projector_offsets DROP COLUMN generation');
    await runner.query('DROP TABLE log_generations');
  }
}
