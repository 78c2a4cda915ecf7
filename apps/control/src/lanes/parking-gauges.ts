import { Injectable, Logger } from '@nestjs/common';
import type { BreakerState } from '#common/domain/breaker.js';
import { BREAKER_STATES } from '#common/domain/breaker.js';
import { PARK_REASONS } from '#common/domain/hold.js';
import { Database } from '#common/postgres/database.js';
import { Rounds } from '#common/timing/rounds.js';
import { PeriodicJobs } from '../schema/periodic-jobs.js';
import * as metrics from './metrics.js';

const PERIOD_MS = 10_000;
/** Looking takes at most this part of the time, however many deliveries are parked. */
const SHARE = 0.05;
/** Breakers that are not closed and get a label of their own. */
const MAX_BREAKERS = 200;
/** Value of the breaker's gauge. */
const STATE_VALUES: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 };

/**
 * Shows parked deliveries and breakers from the database. A periodic round reads them, not each scrape, so
 * that scrapes stay cheap. Every process of this app shows the same.
 */
@Injectable()
export class ParkingGauges {
  private readonly logger = new Logger(ParkingGauges.name);
  private readonly rounds = new Rounds({
    periodMs: PERIOD_MS,
    share: SHARE,
    round: () => this.look(),
    onError: (error) => this.logger.debug({ err: error }, 'parking.not_seen'),
  });

  constructor(
    private readonly database: Database,
    jobs: PeriodicJobs,
  ) {
    jobs.add(this.rounds);
  }

  /** Sets all gauges. Endpoints without parked deliveries vanish from them. */
  async look(): Promise<void> {
    await this.showDeliveries();
    await this.showLanes();
    await this.showBreakers();
  }

  private async showDeliveries(): Promise<void> {
    const [row] = await this.database.query<{ deliveries: number; age_s: number | null }>(
      `SELECT count(*) AS deliveries, extract(epoch FROM now() - min(parked_at))::float8 AS age_s FROM parked_deliveries`,
    );
    metrics.parkedDeliveries.set(row?.deliveries ?? 0);
    metrics.oldestParkedAge.set(Math.max(0, row?.age_s ?? 0));
  }

  private async showLanes(): Promise<void> {
    const rows = await this.database.query<{ reason: string; lanes: number }>(
      `SELECT CASE WHEN r.attempt IS NULL THEN p.reason ELSE 'head' END AS reason, count(*) AS lanes
       FROM (SELECT log, lane, (array_agg(reason ORDER BY place))[1] AS reason FROM parked_deliveries GROUP BY log, lane) p
       FULL JOIN (SELECT log, lane, attempt FROM lane_rows WHERE attempt IS NOT NULL) r USING (log, lane)
       GROUP BY 1`,
    );
    metrics.parkedLanes.reset();
    // A reason without lanes is 0, not missing: rules of alerts see nothing where there is no series.
    for (const reason of PARK_REASONS) metrics.parkedLanes.set({ reason }, 0);
    for (const { reason, lanes } of rows) metrics.parkedLanes.set({ reason }, lanes);
  }

  private async showBreakers(): Promise<void> {
    const counts = await this.database.query<{ state: BreakerState; endpoints: number }>(
      'SELECT state, count(*) AS endpoints FROM endpoint_health GROUP BY state',
    );
    for (const state of BREAKER_STATES) {
      metrics.breakers.set({ state }, counts.find((row) => row.state === state)?.endpoints ?? 0);
    }
    const held = await this.database.query<{ endpoint_id: string; state: BreakerState }>(
      `SELECT endpoint_id, state FROM endpoint_health WHERE state <> 'closed' ORDER BY opened_at LIMIT $1`,
      [MAX_BREAKERS],
    );
    metrics.breakerState.reset();
    for (const { endpoint_id: endpoint, state } of held) metrics.breakerState.set({ endpoint }, STATE_VALUES[state]);
  }
}
