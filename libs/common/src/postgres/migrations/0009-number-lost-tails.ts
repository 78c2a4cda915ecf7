import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Generations that begin within a log: a partition lost its tail, and gives the lost offsets to other records.
 *
 * A new table only. Processes of earlier releases do not know it, and take the generation of the log for records behind
 * the lost tail: stop them before a log loses one.
 */
export class NumberLostTails0009 implements MigrationInterface {
  readonly name = 'NumberLostTails0000000000009';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE lost_tails (
      topic text NOT NULL,
      -- Of the records from from_offset on. No other log or tail of the topic has it.
      generation int NOT NULL,
      -- Of the log: its row in log_generations.
      log_generation int NOT NULL,
      partition int NOT NULL,
      from_offset bigint NOT NULL,
      -- Highest leader epoch of what was read before, as its commit says.
      leader_epoch int,
      found_at timestamptz NOT NULL DEFAULT now(),
      -- Of ingest: set when the topic deliveries has those of all archived events that were in the tail.
      fanned_out_at timestamptz,
      PRIMARY KEY (topic, generation)
    )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE lost_tails');
  }
}
