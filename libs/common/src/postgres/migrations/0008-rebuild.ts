import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Notes of `npm run rebuild` about records of `deliveries`, while it brings a restored database up to date. The next run
 * continues a killed one from these rows. A new table only: older processes neither know nor need it.
 */
export class Rebuild0008 implements MigrationInterface {
  readonly name = 'Rebuild0000000000008';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE rebuild_deliveries (
      log text NOT NULL,
      place bigint NOT NULL,
      lane text NOT NULL,
      delivery_id text NOT NULL,
      replay int NOT NULL,
      tenant text NOT NULL,
      event_id text NOT NULL,
      event_type text NOT NULL,
      endpoint_id text NOT NULL,
      accepted_at timestamptz NOT NULL,
      is_finished boolean NOT NULL,
      -- Of those without an outcome only: what their record was made of. Header values are base64.
      extra_headers jsonb,
      body bytea,
      sent_at timestamptz,
      PRIMARY KEY (log, place)
    )`);
    await runner.query('CREATE INDEX rebuild_deliveries_by_lane ON rebuild_deliveries (log, lane, place)');
    await runner.query('CREATE INDEX rebuild_deliveries_by_event ON rebuild_deliveries (tenant, event_id)');
    await runner.query('CREATE INDEX rebuild_deliveries_by_delivery ON rebuild_deliveries (delivery_id)');
    await runner.query(`CREATE INDEX rebuild_deliveries_open ON rebuild_deliveries (log, place)
      WHERE body IS NOT NULL AND sent_at IS NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE rebuild_deliveries');
  }
}
