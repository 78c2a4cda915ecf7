import type { InRecord } from '#common/records/record.js';
import { ATTEMPTS_TOPIC } from '#common/records/topics.js';
import { outcomeOf } from '../../apps/control/src/health/health-recorder.js';
import {
  type DeliveryRow,
  latestStates,
  projectAttempts,
  projectDeadLetter,
  stateAfter,
} from '../../apps/control/src/projector/projection.js';
import type { Projected, ProjectionWriter } from '../../apps/control/src/projector/projection-writer.js';
import { logName } from './broker.js';
import type { EndpointTables } from './endpoint-tables.js';
import type { Network } from './network.js';

/** PostgreSQL's tables of outcomes, and the projector's offsets. */
export class ProjectionTables {
  readonly nextOffsets = new Map<string, number>();
  readonly deliveries = new Map<string, DeliveryRow>();
  private readonly attempts = new Set<string>();

  constructor(
    private readonly endpoints: EndpointTables,
    private readonly now: () => number,
  ) {}

  /** Applies one transaction: each record counts once, with its offset. */
  write(records: readonly InRecord[]): Omit<Projected, 'breakerChanges'> {
    const fresh = records.filter(
      ({ topic, partition, offset }) => offset >= (this.nextOffsets.get(logName(topic, partition)) ?? 0),
    );
    const { attempts, rejected } = projectAttempts(fresh.filter(({ topic }) => topic === ATTEMPTS_TOPIC));
    const deadLetters = fresh.filter(({ topic }) => topic !== ATTEMPTS_TOPIC).map(projectDeadLetter);
    const states = [...attempts.map(stateAfter), ...deadLetters.flatMap(({ delivery }) => delivery ?? [])];
    for (const row of latestStates([...this.known(states), ...states])) this.deliveries.set(row.id, row);
    for (const row of attempts) {
      const { delivery_id: id, replay, attempt } = row;
      const key = `${id}/${replay}/${attempt}`;
      this.endpoints.apply(row.endpoint_id, outcomeOf(row, this.attempts.has(key)), this.now());
      this.attempts.add(key);
    }
    for (const { endpoint_id, gone } of attempts) if (gone) this.disable(endpoint_id);
    for (const { topic, partition, offset } of fresh) this.nextOffsets.set(logName(topic, partition), offset + 1);
    return { attempts, deadLetters, rejected };
  }

  private known(states: readonly DeliveryRow[]): DeliveryRow[] {
    return [...new Set(states.map(({ id }) => id))].flatMap((id) => this.deliveries.get(id) ?? []);
  }

  private disable(endpointId: string): void {
    const record = this.endpoints.get(endpointId);
    if (record.enabled) this.endpoints.put({ ...record, enabled: false });
  }
}

/** The product's ProjectionWriter, over these tables. */
export class SimulatedProjectionWriter implements Pick<ProjectionWriter, keyof ProjectionWriter> {
  constructor(
    private readonly tables: ProjectionTables,
    private readonly network: Network,
  ) {}

  async write(records: readonly InRecord[]) {
    const written = await this.network.ask('postgres', () => this.tables.write(records));
    return { ...written, breakerChanges: [] };
  }

  async rehearse(): Promise<void> {
    await this.network.ask('postgres', () => undefined);
  }

  async pass(): Promise<void> {
    throw new Error('no log has offsets without a record here');
  }

  async skip(): Promise<void> {
    throw new Error('no record is rejected here');
  }
}
