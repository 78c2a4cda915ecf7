import type { Turns } from '../attempts/turns.js';
import type { Gates } from '../endpoints/gates.js';
import type { UnfinishedDeliveries } from '../endpoints/unfinished-deliveries.js';
import type { ReadAhead } from './read-ahead.js';

/** DI token of {@link LaneCollaborators}. */
export const LANE_COLLABORATORS = Symbol('LaneCollaborators');

/** Parts of the folders below, and of their own, that lanes use. */
export interface LaneCollaborators {
  readonly holds: Pick<Gates, 'holdOf'>;
  readonly turns: Pick<Turns, 'request' | 'store' | 'giveUp' | 'handOverAgain'>;
  readonly unfinished: Pick<UnfinishedDeliveries, 'finish'>;
  readonly readAhead: ReadAhead;
}
