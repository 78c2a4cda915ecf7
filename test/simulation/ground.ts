import type { Broker } from './broker.js';
import type { EndpointTables } from './endpoint-tables.js';
import type { LaneTables } from './lane-tables.js';
import type { ProjectionTables } from './projection-tables.js';
import type { Duty } from './traffic.js';
import type { Host } from './virtual-time.js';

/** What the referee looks at. */
export interface Ground {
  readonly now: number;
  readonly broker: Broker;
  readonly lanes: LaneTables;
  readonly endpoints: EndpointTables;
  readonly projection: ProjectionTables;
  readonly duties: readonly Duty[];
  /** Deliveries dead in a row that open its breaker. */
  thresholdOf(endpointId: string): number;
  cooldownMsOf(endpointId: string): number;
  /** Frozen, or so shortly after that it cannot know; or put out of its group, and not told by any answer since. */
  isExcused(host: Host): boolean;
  /** By how much wall clocks differ at most, ms. */
  readonly skewMs: number;
  /** Nothing has happened that could explain a repeat. */
  readonly isUndisturbed: boolean;
  tell(what: string): void;
}
