import type { Arrival } from './receiver.ts';

/** Counts of one endpoint. */
export interface Score {
  /** Events answered 2xx. */
  delivered: number;
  /** Duplicate requests: after a 2xx, or of an attempt that had arrived before. */
  duplicates: number;
  /** Events that took more than one attempt. */
  retried: number;
  /** Events first delivered after a later event of their resource. */
  disorder: number;
  /** Latencies from the producer's call to the arrival that was answered 2xx, ascending. */
  latenciesMs: number[];
}

/** The attempts of one event at one endpoint. */
interface Course {
  attempts: Set<number>;
  isDelivered: boolean;
}

/** Counts arrivals per endpoint. Deterministic: the caller passes every input, clock included. */
export class Tally {
  #publishedAt = new Map<string, number>();
  #endpoints = new Map<string, Score & { courses: Map<string, Course>; highest: Map<string, number> }>();

  /** @param endpoints names */
  constructor(endpoints: readonly string[]) {
    for (const name of endpoints) {
      const score = { delivered: 0, duplicates: 0, retried: 0, disorder: 0, latenciesMs: [] };
      this.#endpoints.set(name, { ...score, courses: new Map(), highest: new Map() });
    }
  }

  /** Events published so far. */
  get published() {
    return this.#publishedAt.size;
  }

  publish(eventId: string, at: number) {
    this.#publishedAt.set(eventId, at);
  }

  arrive({ endpoint, eventId, resourceId, sequence, attempt, at, status }: Arrival) {
    const publishedAt = this.#publishedAt.get(eventId);
    const score = this.#endpoints.get(endpoint);
    if (score === undefined || publishedAt === undefined) return;
    const course = score.courses.get(eventId) ?? { attempts: new Set(), isDelivered: false };
    score.courses.set(eventId, course);
    if (course.isDelivered || course.attempts.has(attempt)) score.duplicates++;
    course.attempts.add(attempt);
    if (course.attempts.size === 2) score.retried++;
    if (course.isDelivered || status < 200 || status > 299) return;
    course.isDelivered = true;
    score.delivered++;
    score.latenciesMs.push(at - publishedAt);
    if (resourceId === null) return;
    const highest = score.highest.get(resourceId) ?? -1;
    if (sequence < highest) score.disorder++;
    score.highest.set(resourceId, Math.max(highest, sequence));
  }

  score(endpoint: string): Score {
    const score = this.#endpoints.get(endpoint);
    if (score === undefined) throw new Error(`no endpoint ${endpoint}`);
    const { delivered, duplicates, retried, disorder, latenciesMs } = score;
    return { delivered, duplicates, retried, disorder, latenciesMs: latenciesMs.toSorted((a, b) => a - b) };
  }
}

/**
 * Nearest rank.
 *
 * @param share from 0 to 1
 * @returns undefined when there are no values
 */
export function percentile(ascending: readonly number[], share: number): number | undefined {
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)];
}
