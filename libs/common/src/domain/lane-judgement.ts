import type { HeadRow, Lane, LaneItem } from './lane-state.js';

/** `again`: a hand-over that a crash cut off. */
export type Judgement = 'go' | 'over' | 'again' | 'wait';

/**
 * Rule 2: the row decides. A row is written before its record enters a tier, so it never has fewer attempts than a record
 * of its place, except in a database restored from a backup. Such a record is attempted: as stale it would be lost.
 */
export function judge<Work>(lane: Lane<Work>, item: LaneItem<Work>): Judgement {
  const { row } = lane;
  if (typeof row === 'object') {
    if (item.place < row.place) return 'over';
    if (row.state === 'head') return judgeByHead(row, item);
    if (item.place === row.place) return 'over';
  }
  return lane.parked !== 'none' && item.offset !== undefined ? 'wait' : 'go';
}

function judgeByHead<Work>(head: HeadRow, { place, attempt }: LaneItem<Work>): Judgement {
  if (place > head.place) return 'wait';
  if (attempt >= head.attempt) return 'go';
  return attempt === head.attempt - 1 ? 'again' : 'over';
}

/** PostgreSQL must be asked first: a return may be a repeat of a delivery that has been over for long. */
export function needsRow<Work>(lane: Lane<Work>, item: LaneItem<Work>): boolean {
  const isReturn = item.offset !== undefined && item.place < item.offset;
  return isReturn && lane.row === 'unread';
}
