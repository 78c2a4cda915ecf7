import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Nearly every delivery is delivered by its first attempt, and its row says so: a row for that attempt would double
 * the written and stored bytes. The view shows every attempt, of either table.
 *
 * The columns are new and empty, which takes no time for any number of rows. Older processes continue: they name the
 * columns they know, and show no attempts of such a delivery.
 */
export class FirstAttemptInDelivery0005 implements MigrationInterface {
  readonly name = 'FirstAttemptInDelivery0000000000005';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE deliveries ADD COLUMN first_at timestamptz, ADD COLUMN first_duration_ms int,
      ADD COLUMN first_status_code int, ADD COLUMN first_response_body bytea`);
    await runner.query(`CREATE VIEW delivery_attempts AS
      SELECT delivery_id, accepted_at, replay, attempt, at, duration_ms, status_code, error, error_detail, outcome,
        response_body
      FROM attempts UNION ALL ${FIRST_ATTEMPTS}`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP VIEW delivery_attempts');
    await runner.query(`INSERT INTO attempts (delivery_id, accepted_at, replay, attempt, at, duration_ms, status_code,
      error, error_detail, outcome, response_body) ${FIRST_ATTEMPTS} ON CONFLICT DO NOTHING`);
    await runner.query(`ALTER TABLE deliveries DROP COLUMN first_at, DROP COLUMN first_duration_ms,
      DROP COLUMN first_status_code, DROP COLUMN first_response_body`);
  }
}

const FIRST_ATTEMPTS = `SELECT id, accepted_at, 0, 1, first_at, first_duration_ms, first_status_code, NULL, NULL,
    'delivered', first_response_body
  FROM deliveries WHERE first_at IS NOT NULL`;
