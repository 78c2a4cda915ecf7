/** @typedef {import('./receiver.mjs').Arrival} Arrival */

/**
 * What came to one endpoint.
 *
 * @typedef {object} Score
 * @property {number} delivered events answered 2xx
 * @property {number} duplicates requests nobody needed: after a 2xx, or for an attempt that had come already
 * @property {number} retried events that took more than one attempt
 * @property {number} disorder events first delivered after a later one of their resource
 * @property {number[]} latenciesMs from the producer's call to the arrival that was answered 2xx, ascending
 */

/** @typedef {{ attempts: Set<number>, isDelivered: boolean }} Course what became of one event at one endpoint */

/** Counts what arrives, endpoint by endpoint. Pure: it is told everything, clock included. */
export class Tally {
  /** @type {Map<string, number>} when each event was published, ms since the epoch */
  #publishedAt = new Map();
  /** @type {Map<string, Score & { courses: Map<string, Course>, highest: Map<string, number> }>} */
  #endpoints = new Map();

  /** @param {readonly string[]} endpoints names */
  constructor(endpoints) {
    for (const name of endpoints) {
      const score = { delivered: 0, duplicates: 0, retried: 0, disorder: 0, latenciesMs: [] };
      this.#endpoints.set(name, { ...score, courses: new Map(), highest: new Map() });
    }
  }

  /** Events published so far. */
  get published() {
    return this.#publishedAt.size;
  }

  /**
   * @param {string} eventId
   * @param {number} at
   */
  publish(eventId, at) {
    this.#publishedAt.set(eventId, at);
  }

  /** @param {Arrival} arrival */
  arrive({ endpoint, eventId, resourceId, sequence, attempt, at, status }) {
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

  /**
   * @param {string} endpoint
   * @returns {Score}
   */
  score(endpoint) {
    const score = this.#endpoints.get(endpoint);
    if (score === undefined) throw new Error(`no endpoint ${endpoint}`);
    const { delivered, duplicates, retried, disorder, latenciesMs } = score;
    return { delivered, duplicates, retried, disorder, latenciesMs: latenciesMs.toSorted((a, b) => a - b) };
  }
}

/**
 * Nearest rank.
 *
 * @param {readonly number[]} ascending
 * @param {number} share from 0 to 1
 * @returns {number | undefined} undefined when there are no values
 */
export function percentile(ascending, share) {
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)];
}
