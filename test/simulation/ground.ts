import type { Broker } from './broker.js';
import type { EndpointTables } from './endpoint-tables.js';
import type { LaneTables } from './lane-tables.js';
import type { ProjectionTables } from './projection-tables.js';
import type { Duty } from './traffic.js';
import type { Host } from './virtual-time.js';

/** The state that the referee observes. */
export interface Ground {
  readonly now: number;
  readonly broker: Broker;
  readonly lanes: LaneTables;
  readonly endpoints: EndpointTables;
  readonly projection: ProjectionTables;
  readonly duties: readonly Duty[];
  /** Number of dead deliveries in a row that opens the endpoint's breaker. */
  thresholdOf(endpointId: string): number;
  cooldownMsOf(endpointId: string): number;
  /**
   * True while a process cannot know that it lost its logs: frozen, just resumed, or evicted without an answer since.
   */
  isExcused(host: Host): boolean;
  /** Largest difference of wall clocks, ms. */
  readonly skewMs: number;
  /** True when no fault of the history explains a repeat. */
  readonly isUndisturbed: boolean;
  log(what: string): void;
}
