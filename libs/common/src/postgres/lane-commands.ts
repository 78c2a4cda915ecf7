import type { StoredHeaders } from '../records/stored-headers.js';
import type { Queryable } from './database.js';

/** An operator's command to a lane's owner: give up the head, or, without one, the first parked row. */
export interface LaneCommand {
  readonly lane: string;
  readonly place: number;
  /** Attempts made of the head. */
  readonly attempt: number;
  /** The packed header. */
  readonly header: string;
  readonly body: Buffer;
}

export interface OpenCommand extends LaneCommand {
  readonly log: string;
  /** Of the parked row; null for a delivery that is not parked, or has no headers but the packed one. */
  readonly extraHeaders: StoredHeaders | null;
}

export class LaneCommands {
  constructor(private readonly database: Queryable) {}

  /** @returns commands of these logs that are still to be carried out; commands about deliveries that are over are deleted */
  async open(logs: readonly string[]): Promise<OpenCommand[]> {
    return this.database.query<OpenCommand>(
      `WITH done AS (
         DELETE FROM lane_commands c
         WHERE c.log = ANY($1::text[]) AND (
           EXISTS (SELECT FROM lane_rows r WHERE r.log = c.log AND r.lane = c.lane
             AND (r.place > c.place OR (r.place = c.place AND r.attempt IS NULL)))
           -- A lane without order has no row that could call its delivery over.
           OR NOT EXISTS (SELECT FROM lane_rows r WHERE r.log = c.log AND r.lane = c.lane AND r.place = c.place)
             AND NOT EXISTS (SELECT FROM parked_deliveries p WHERE p.log = c.log AND p.lane = c.lane AND p.place = c.place))
         RETURNING c.log, c.lane, c.place
       )
       SELECT log, lane, place, attempt, header, body,
         (SELECT p.extra_headers FROM parked_deliveries p WHERE p.log = c.log AND p.lane = c.lane AND p.place = c.place)
           AS "extraHeaders"
       FROM lane_commands c
       WHERE log = ANY($1::text[])
         AND NOT EXISTS (SELECT FROM done WHERE done.log = c.log AND done.lane = c.lane AND done.place = c.place)
       ORDER BY asked_at LIMIT 100`,
      [logs],
      'lane_commands',
    );
  }

  /** Asks for a delivery to be given up. Asking twice is asking once. */
  async ask(log: string, command: LaneCommand): Promise<void> {
    await this.database.query(
      `INSERT INTO lane_commands (log, lane, place, kind, attempt, header, body, asked_at)
       VALUES ($1, $2, $3, 'skip', $4, $5, $6, now()) ON CONFLICT DO NOTHING`,
      [log, command.lane, command.place, command.attempt, command.header, command.body],
    );
  }
}
