import type { LaneRow } from '../domain/lane-machine.js';
import type { StoredHeaders } from '../records/stored-headers.js';
import { listOf } from './array-parameters.js';
import type { Database, Queryable } from './database.js';
import { OWNED, rowOf, WRITE } from './lane-statements.js';

/** A partition of `deliveries`, and the epoch its owner has raised. Everything an owner does holds it, or does nothing. */
export interface LogEpoch {
  readonly log: string;
  readonly epoch: number;
}

/** A delivery that waits in the database, as it was read. */
export interface ParkedRecord {
  readonly lane: string;
  readonly place: number;
  readonly endpointId: string;
  readonly deliveryId: string;
  /** Attempts made so far. */
  readonly attempt: number;
  /** The packed header. */
  readonly header: string;
  /** Its other headers (records/stored-headers.ts); null for none. */
  readonly extraHeaders: StoredHeaders | null;
  readonly body: Buffer;
  /** Why it was parked: `head`, or the hold's reason. */
  readonly reason: string;
  /** ms since the epoch. */
  readonly parkedAt: number;
}

/** The writes of one lane's transaction; see LaneTransaction of domain/lane-machine.ts. */
export interface LaneWrite {
  readonly lane: string;
  readonly endpointId: string;
  readonly row?: LaneRow & { readonly deliveryId: string; readonly dueAt: number | undefined };
  readonly park?: readonly ParkedRecord[];
  readonly removeUpTo?: number;
  readonly remove?: { readonly place: number; readonly attempt: number };
}

/** A lane in the database. */
export interface KnownLane {
  readonly lane: string;
  readonly row: LaneRow | undefined;
  /** When the head's next attempt is due, ms since the epoch. */
  readonly dueAt: number | undefined;
  /** Place of its lowest parked row. */
  readonly lowestParked: number | undefined;
}

/** Another owner has raised the epoch: this one must stop. */
export class FencedError extends Error {
  constructor(readonly log: string) {
    super(`${log} has another owner`);
  }
}

/** The lanes' part of the database. All writes are idempotent: one whose outcome is unknown is simply repeated. */
export class LaneStore {
  constructor(private readonly database: Database) {}

  /** The present epoch; 0 when no owner has raised it. */
  async epochOf(log: string): Promise<LogEpoch> {
    const rows = await this.database.query<{ epoch: number }>('SELECT epoch FROM lane_logs WHERE log = $1', [log]);
    return { log, epoch: rows[0]?.epoch ?? 0 };
  }

  /** Epochs as they are now; a log that was never taken over is missing. */
  async epochsOf(logs: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.database.query<{ log: string; epoch: number }>(
      'SELECT log, epoch FROM lane_logs WHERE log = ANY ($1::text[])',
      [logs],
      'lane_epochs',
    );
    return new Map(rows.map(({ log, epoch }) => [log, epoch]));
  }

  /**
   * Takes a log over: from now on no earlier owner can change its lanes.
   *
   * @param seen its epoch, before the group confirmed that the log is ours: a statement that comes late, when another
   *   process has the log, must not fence that one
   * @throws FencedError when another owner raised it
   */
  async raiseEpoch({ log, epoch }: LogEpoch): Promise<LogEpoch> {
    const rows = await this.database.query<{ epoch: number }>(
      `INSERT INTO lane_logs (log, epoch, raised_at) VALUES ($1, $2::bigint + 1, now())
       ON CONFLICT (log) DO UPDATE SET epoch = excluded.epoch, raised_at = now() WHERE lane_logs.epoch = $2
       RETURNING epoch`,
      [log, epoch],
    );
    const [raised] = rows;
    if (raised === undefined) throw new FencedError(log);
    return { log, epoch: raised.epoch };
  }

  /**
   * Lanes that must not be judged without asking the database: those with a head or parked rows, and those whose row may
   * call a record over that is read again.
   *
   * @param start position of the committed offset: no record below it comes from the log any more
   */
  async *waitingLanes(log: string, start: number, pageSize = 10_000): AsyncGenerator<string[]> {
    for (let after = ''; ; ) {
      const rows = await this.database.query<{ lane: string }>(
        `SELECT lane FROM (
           SELECT lane FROM lane_rows WHERE log = $1 AND lane > $3 AND (attempt IS NOT NULL OR place >= $2)
           UNION SELECT lane FROM parked_deliveries WHERE log = $1 AND lane > $3
         ) AS waiting ORDER BY lane LIMIT $4`,
        [log, start, after, pageSize],
      );
      if (rows.length > 0) yield rows.map(({ lane }) => lane);
      if (rows.length < pageSize) return;
      after = rows.at(-1)?.lane ?? '';
    }
  }

  /** @returns one entry for each lane asked for */
  async load({ log, epoch }: LogEpoch, lanes: readonly string[]): Promise<KnownLane[]> {
    const rows = await this.database.query<{
      lane: string;
      place: number | null;
      attempt: number | null;
      due_at: Date | null;
      lowest_parked: number | null;
    }>(
      `WITH ${OWNED}
       SELECT asked.lane, r.place, r.attempt, r.due_at, (
           SELECT p.place FROM parked_deliveries p WHERE p.log = $1 AND p.lane = asked.lane ORDER BY p.place LIMIT 1
         ) AS lowest_parked
       FROM owned CROSS JOIN unnest(${listOf('$3', 'text')}) AS asked (lane) ${rowOf('asked.lane')}`,
      [log, epoch, lanes],
      'lane_load',
    );
    if (rows.length === 0) throw new FencedError(log);
    return rows.map(({ lane, place, attempt, due_at, lowest_parked }) => ({
      lane,
      row: place === null ? undefined : { place, attempt: attempt ?? undefined },
      dueAt: due_at?.getTime(),
      lowestParked: lowest_parked ?? undefined,
    }));
  }

  /**
   * Writes the transactions of several lanes of one log at once; each lane at most once.
   *
   * @param on runs the statement
   * @throws FencedError when nothing was written because another owner has the log
   */
  async write({ log, epoch }: LogEpoch, writes: readonly LaneWrite[], on: Queryable = this.database): Promise<void> {
    const rows = writes.flatMap(({ lane, endpointId, row }) => (row ? [{ lane, endpointId, ...row }] : []));
    const parked = highestAttempts(writes.flatMap(({ park }) => park ?? []));
    const removed = writes.flatMap(({ lane, removeUpTo, remove }) => [
      ...(removeUpTo === undefined ? [] : [{ lane, from: 0, upTo: removeUpTo }]),
      ...(remove ? [{ lane, from: remove.place, upTo: remove.place, attempt: remove.attempt }] : []),
    ]);
    const [result] = await on.query<{ fenced: number }>(
      WRITE,
      [
        log,
        epoch,
        ...columns(rows, ['lane', 'endpointId', 'place', 'attempt']),
        rows.map(({ dueAt }) => (dueAt === undefined ? null : new Date(dueAt))),
        rows.map(({ deliveryId }) => deliveryId),
        ...columns(parked, ['lane', 'place', 'endpointId', 'deliveryId', 'attempt', 'header']),
        parked.map(({ extraHeaders }) => (extraHeaders === null ? null : JSON.stringify(extraHeaders))),
        ...columns(parked, ['body', 'reason']),
        parked.map(({ parkedAt }) => new Date(parkedAt)),
        ...columns(removed, ['lane', 'from', 'upTo', 'attempt']),
      ],
      'lane_write',
    );
    if (!result?.fenced) throw new FencedError(log);
  }

  /** Whether writes could be stored now; nothing of them is kept. @throws as `write` does */
  async rehearse(epoch: LogEpoch, writes: readonly LaneWrite[]): Promise<void> {
    await this.database.rehearse((tx) => this.write(epoch, writes, tx));
  }

  /**
   * The lowest parked rows of each lane, ascending: at least one, if it has any, and no more than `most` says for each lane.
   *
   * @throws FencedError when another owner has the log
   */
  async readPages(
    { log, epoch }: LogEpoch,
    lanes: readonly string[],
    most: { readonly rows: number; readonly bodyBytes: number },
  ): Promise<Map<string, ParkedRecord[]>> {
    const rows = await this.database.query<ParkedRow>(
      `WITH ${OWNED}
       SELECT asked.lane, p.place, p.endpoint_id, p.delivery_id, p.attempt, p.header, p.extra_headers, p.body, p.reason, p.parked_at
       FROM owned CROSS JOIN unnest(${listOf('$3', 'text')}) AS asked (lane)
       LEFT JOIN LATERAL (
         SELECT *, sum(octet_length(body)) OVER (ORDER BY place ROWS UNBOUNDED PRECEDING) AS bytes_so_far FROM (
           SELECT * FROM parked_deliveries p WHERE p.log = $1 AND p.lane = asked.lane ORDER BY p.place LIMIT $4
         ) AS lowest
       ) p ON p.bytes_so_far <= greatest($5, octet_length(p.body))`,
      [log, epoch, lanes, most.rows, most.bodyBytes],
      'lane_pages',
    );
    if (rows.length === 0) throw new FencedError(log);
    const pages = new Map<string, ParkedRecord[]>(lanes.map((lane) => [lane, []]));
    for (const row of rows) if (row.place !== null) pages.get(row.lane)?.push(toParkedRecord(row, row.place));
    for (const page of pages.values()) page.sort((a, b) => a.place - b.place);
    return pages;
  }

  /**
   * Lanes of an endpoint that can drain now: their lowest row is not behind a head that is elsewhere.
   *
   * @param after places up to this one have been looked at
   * @returns ascending by place; a lane may come several times
   */
  async drainable(
    log: string,
    endpointId: string,
    after: number,
    limit: number,
  ): Promise<{ lane: string; place: number }[]> {
    return this.database.query<{ lane: string; place: number }>(
      `SELECT p.lane, p.place FROM parked_deliveries p ${rowOf('p.lane')}
       WHERE p.log = $1 AND p.endpoint_id = $2 AND p.place > $3 AND (r.attempt IS NULL OR r.place >= p.place)
       ORDER BY p.place LIMIT $4`,
      [log, endpointId, after, limit],
      'lane_drainable',
    );
  }
}

interface ParkedRow {
  lane: string;
  place: number | null;
  endpoint_id: string;
  delivery_id: string;
  attempt: number;
  header: string;
  extra_headers: Record<string, string> | null;
  body: Buffer;
  reason: string;
  parked_at: Date;
}

function toParkedRecord(row: ParkedRow, place: number): ParkedRecord {
  return {
    lane: row.lane,
    place,
    endpointId: row.endpoint_id,
    deliveryId: row.delivery_id,
    attempt: row.attempt,
    header: row.header,
    extraHeaders: row.extra_headers,
    body: row.body,
    reason: row.reason,
    parkedAt: row.parked_at.getTime(),
  };
}

/** A record that came twice is parked once, with the attempts it has by now: a statement may touch a row only once. */
function highestAttempts(records: readonly ParkedRecord[]): ParkedRecord[] {
  const byPlace = new Map<string, ParkedRecord>();
  for (const record of records) {
    const key = `${record.place} ${record.lane}`;
    if ((byPlace.get(key)?.attempt ?? -1) < record.attempt) byPlace.set(key, record);
  }
  return [...byPlace.values()];
}

/** Array parameters for `unnest`: one array a field. */
function columns<Row, Name extends keyof Row>(rows: readonly Row[], names: readonly Name[]): unknown[][] {
  return names.map((name) => rows.map((row) => row[name] ?? null));
}
