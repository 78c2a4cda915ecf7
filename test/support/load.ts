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

/** The two ways in. Both resolve when the event is acknowledged, and reject when it is not known to be. */
export interface Doors {
  publish(event: EventInput): Promise<unknown>;
  publishByKafka(event: EventInput): Promise<unknown>;
}

export interface LoadOptions {
  readonly resources: number;
  /** Put before the names of resources. */
  readonly prefix?: string;
  /** Between two events of one resource. */
  readonly everyMs: number;
  readonly typeOf: (number: number) => string;
}

const REPEAT_AFTER_MS = 200;

/**
 * Steady traffic of many resources, half of them over HTTP, half over Kafka. A resource publishes its next event when the
 * last one was acknowledged; one that was not is published again with the same id, as every producer should.
 */
export class Load {
  readonly acknowledged: LoadedEvent[] = [];
  /** Tries that were refused or broken off. */
  failures = 0;
  /** Requests over HTTP that were sent and not answered yet. */
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

  /** Resolves when everything that was begun is acknowledged. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.running);
  }

  /** What is not acknowledged is tried no more: there is nobody left to do it. */
  giveUp(): void {
    this.stopping.abort();
    this.isGivenUp = true;
  }

  /** Resolves when so many more events were acknowledged. */
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
      // What could not be published meanwhile is not caught up.
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

/** What an endpoint got of the events it should have got. */
export interface Account {
  /** Ids that were never answered 200. */
  readonly missing: string[];
  /** Requests beyond the attempts that were needed. */
  readonly repeats: number;
  /** Ids first accepted after a later event of their resource. */
  readonly disorder: string[];
  /** Ids that arrived while another event of their resource was being answered. */
  readonly overlaps: string[];
}

/** @param attempts that each delivery needs, by the hook's script */
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
