import { Injectable } from '@nestjs/common';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { ProblemError } from '#common/http/problem.js';
import { Database, type Queryable } from '#common/postgres/database.js';
import { deliveryParts } from '#common/postgres/delivery-parts.js';
import { type LaneCommand, LaneCommands } from '#common/postgres/lane-commands.js';
import { findDelivery } from '../deliveries/delivery.queries.js';
import type { StoredEndpoint } from '../endpoints/endpoint.js';
import { findEndpoint } from '../endpoints/endpoint.repository.js';
import { archivedEventOf } from '../events/archive.js';
import { audit } from '../shared/audit.js';
import { visibleTenant } from '../shared/tenancy.js';
import { decodeLaneId, type LaneName } from './lane-id.js';
import type { Skipped } from './lane-schemas.js';

interface Head {
  readonly endpoint_id: string;
  readonly place: number;
  readonly attempt: number;
  readonly delivery_id: string;
}

/**
 * Asks a lane's owner to give up its head, or, when only its endpoint holds the lane, its first parked delivery. The owner
 * needs the record for the dead letter. A parked head has it in its row. For a head in a tier it is made again from the
 * archive, since a tier cannot be searched.
 */
@Injectable()
export class LaneSkips {
  constructor(private readonly database: Database) {}

  /** @throws ProblemError NOT_FOUND when nothing of the lane waits; CONFLICT when its event is no longer archived */
  async skip(caller: AuthenticatedKey, id: string): Promise<Skipped> {
    const name = decodeLaneId(id);
    return this.database.transaction(async (tx) => {
      const head = await findHead(tx, name);
      const endpoint = head && (await findEndpoint(tx, head.endpoint_id, visibleTenant(caller, undefined)));
      if (head === undefined || endpoint === undefined) throw new ProblemError('NOT_FOUND', 'there is no such lane');
      const { delivery_id, place, attempt } = head;
      const record = (await parkedRecord(tx, name, place)) ?? (await archivedRecord(tx, endpoint, delivery_id));
      const command: LaneCommand = { lane: name.lane, place, attempt, ...record };
      await new LaneCommands(tx).ask(name.log, command);
      const detail = { lane: name.lane, delivery_id };
      await audit(tx, { actor: caller, tenant: endpoint.tenant, action: 'lane.skipped', subject: endpoint.id, detail });
      return { lane_id: id, delivery_id };
    });
  }
}

/** The head that the lane waits for. */
async function findHead(tx: Queryable, { log, lane }: LaneName): Promise<Head | undefined> {
  const [row] = await tx.query<Head>(
    `SELECT endpoint_id, place, attempt, delivery_id FROM (
       SELECT 0 AS rank, endpoint_id, place, attempt, delivery_id FROM lane_rows
       WHERE log = $1 AND lane = $2 AND attempt IS NOT NULL
       UNION ALL SELECT 1, endpoint_id, place, attempt, delivery_id FROM parked_deliveries WHERE log = $1 AND lane = $2
     ) AS waiting ORDER BY rank, place LIMIT 1`,
    [log, lane],
  );
  return row;
}

type HeadRecord = Pick<LaneCommand, 'header' | 'body'>;

async function parkedRecord(tx: Queryable, { log, lane }: LaneName, place: number): Promise<HeadRecord | undefined> {
  const [row] = await tx.query<HeadRecord>(
    'SELECT header, body FROM parked_deliveries WHERE log = $1 AND lane = $2 AND place = $3',
    [log, lane, place],
  );
  return row;
}

async function archivedRecord(tx: Queryable, endpoint: StoredEndpoint, deliveryId: string): Promise<HeadRecord> {
  const delivery = await findDelivery(tx, deliveryId, endpoint.tenant);
  const { header, body } = deliveryParts(await archivedEventOf(tx, delivery), endpoint, delivery.replay);
  return { header, body };
}
