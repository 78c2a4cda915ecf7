import { setTimeout as delay } from 'node:timers/promises';
import type { EventInput } from './client.js';
import type { Hit, Hook } from './receiver.js';
import { until } from './until.js';

export interface LoadedEvent {
  readonly id: string;
  readonly resource: string;
  /** Position among the events of its resource. */
  readonly number: number;
  readonly type: string;
}

/** The two doors. Both resolve when the event is acknowledged, and reject otherwise. */
export interface Doors {
  publish(event: EventInput): Promise<unknown>;
  publishByKafka(event: EventInput): Promise<unknown>;
}

export interface LoadOptions {
  readonly resources: number;
  /** Prefix of the resources' names. */
  readonly prefix?: string;
  /** Pause between two events of one resource. */
  readonly everyMs: number;
  readonly typeOf: (number: number) => string;
}

const REPEAT_AFTER_MS = 200;

/**
 * Steady traffic of many resources, half over HTTP, half over Kafka. A resource publishes its next event after the
 * acknowledgement of the last. Without an acknowledgement, it publishes the same id again, as every producer should.
 */
export class Load {
  readonly acknowledged: LoadedEvent[] = [];
  /** Number of publishes that failed or were cut off. */
  failures = 0;
  /** HTTP requests in flight. */
  unanswered = 0;
  private readonly stopping = new AbortController();
  private isGivenUp = false;
  private readonly running: Promise<void>[];

  constructor(
    private readonly doors: Doors,
    private readonly options: LoadOptions,
  ) {
    this.running = Array.from({ length: options.resources }, (_, index) => this.run(index));
  }

  /** Stops publishing. Resolves when all published events are acknowledged. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.running);
  }

  /** Stops at once, without further tries of unacknowledged events. */
  giveUp(): void {
    this.stopping.abort();
    this.isGivenUp = true;
  }

  /** Resolves when `count` further events are acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.acknowledged.length + count;
    await until(`${count} more events are acknowledged`, () => this.acknowledged.length >= goal, 60_000);
  }

  private async run(index: number): Promise<void> {
    const { everyMs, resources, typeOf, prefix = '' } = this.options;
    const isHttp = index % 2 === 0;
    let dueAt = Date.now() + (everyMs * index) / resources;
    for (let number = 0; ; number++) {
      await delay(Math.max(0, dueAt - Date.now()));
      if (this.stopping.signal.aborted) return;
      // A delay is not made up: the schedule continues from now.
      dueAt = Math.max(dueAt, Date.now()) + everyMs;
      const resource = `${prefix}resource-${index}`;
      await this.publish({ id: `${resource}-${number}`, resource, number, type: typeOf(number) }, isHttp);
    }
  }

  private async publish(event: LoadedEvent, isHttp: boolean): Promise<void> {
    const { id, resource, number, type } = event;
    const input = { id, type, resource_id: resource, data: { number } };
    while (!this.isGivenUp) {
      try {
        await (isHttp ? this.counted(this.doors.publish(input)) : this.doors.publishByKafka(input));
        this.acknowledged.push(event);
        return;
      } catch {
        this.failures++;
        await delay(REPEAT_AFTER_MS);
      }
    }
  }

  private async counted(request: Promise<unknown>): Promise<void> {
    this.unanswered++;
    await request.finally(() => this.unanswered--);
  }
}

/** Compares an endpoint's requests with the events for it. */
export interface Account {
  /** Ids of events that were never answered 200. */
  readonly missing: string[];
  /** Number of requests beyond the necessary attempts. */
  readonly repeats: number;
  /** Ids of events first accepted after a later event of their resource. */
  readonly disorder: string[];
  /** Ids of events that arrived while another event of their resource was in flight. */
  readonly overlaps: string[];
}

/** @param attempts necessary attempts per delivery, by the hook's script */
export function accountOf(
  hook: Pick<Hook, 'hits' | 'accepted'>,
  events: readonly LoadedEvent[],
  attempts = 1,
): Account {
  const hits = Map.groupBy(hook.hits, ({ event }) => event.id);
  const accepted = [...hits.values()].flatMap((all) => all.find(({ status }) => status === 200) ?? []);
  const byResource = Map.groupBy(hook.hits, ({ event }) => event.resource_id);
  return {
    missing: events.filter(({ id }) => !hook.accepted.has(id)).map(({ id }) => id),
    repeats: [...hits.values()].reduce((sum, all) => sum + Math.max(0, all.length - attempts), 0),
    disorder: outOfOrder(accepted.sort((a, b) => Number(a.answeredAt) - Number(b.answeredAt))),
    overlaps: [...byResource.values()].flatMap(overlapping),
  };
}

function outOfOrder(hits: readonly Hit[]): string[] {
  const highest = new Map<string | null, number>();
  return hits.flatMap(({ event }) => {
    const { number } = event.data as { number: number };
    const before = highest.get(event.resource_id) ?? -1;
    highest.set(event.resource_id, Math.max(before, number));
    return number < before ? [event.id] : [];
  });
}

function overlapping(hits: readonly Hit[]): string[] {
  return hits.slice(1).flatMap((hit, index) => {
    const before = hits[index];
    const isOverlap =
      before?.answeredAt !== undefined && before.event.id !== hit.event.id && hit.at < before.answeredAt;
    return isOverlap ? [hit.event.id] : [];
  });
}
