import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Evidence } from './evidence.js';
import { judge } from './judge.js';
import { History, type MadeEvent } from './testing/history.js';
import type { FindingKind, Verdict } from './verdict.js';

const KEPT = { lost: 0, outOfOrder: 0, duplicates: 0, staleRepeats: 0 };

function kindsOf({ promises }: Verdict): Set<FindingKind> {
  return new Set(Object.values(promises).flatMap(({ findings }) => findings.map(({ kind }) => kind)));
}

/** Events of a few resources, of which each fails so many times before it is delivered, or dead when it never is. */
const fates = () =>
  fc.array(fc.record({ resource: fc.constantFrom('a', 'b', 'c'), failures: fc.integer({ min: 0, max: 4 }) }), {
    minLength: 2,
    maxLength: 25,
  });

/** What a system that keeps its promises would leave: whatever comes after a failure of its resource is parked until then. */
function live(history: History, events: readonly { resource: string; failures: number }[]): MadeEvent[] {
  const made = events.map(({ resource }) => history.publish(resource));
  for (const event of made) history.route(event);
  for (const [index, event] of made.entries()) {
    const failures = events[index]?.failures ?? 0;
    const followers = made.slice(index + 1).filter(({ resource }) => resource === event.resource);
    for (let failed = 0; failed < failures; failed++) {
      if (failed === 3) {
        history.die(event);
        break;
      }
      history.fail(event);
      if (failed === 0) for (const follower of followers) history.park(follower);
      history.sample();
      history.bringBack(event);
    }
    if (failures < 4) history.deliver(event);
    history.unpark(event);
    history.sample();
  }
  return made;
}

describe('judge', () => {
  it('given any history of a system that keeps its promises, then all of them are kept', () => {
    fc.assert(
      fc.property(fates(), (events) => {
        const history = new History();
        live(history, events);
        const verdict = judge(history.evidence());

        expect(kindsOf(verdict)).toEqual(new Set());
        expect(verdict.figures).toMatchObject(KEPT);
        expect(verdict.outcome).not.toBe('broken');
      }),
    );
  });

  it('given any such history, when all trace of one delivery is gone from the end on, then it is found lost', () => {
    fc.assert(
      fc.property(fates(), fc.nat(), (events, choice) => {
        const history = new History();
        const made = live(history, events);
        const victim = made[choice % made.length];
        const whole = history.evidence();
        const evidence: Evidence = {
          ...whole,
          requests: whole.requests.filter(({ eventId }) => eventId !== victim?.id),
          topics: whole.topics.map((each) => ({
            ...each,
            records: each.records.filter(({ delivery, attempt }) =>
              each.topic === 'deliveries' ? true : (delivery?.eventId ?? attempt?.event_id) !== victim?.id,
            ),
          })),
        };
        const { promises, figures } = judge(evidence);

        expect(promises.P1.outcome).toBe('broken');
        expect(figures.lost).toBe(1);
        expect(promises.P1.findings[0]).toMatchObject({
          kind: 'lost',
          eventId: victim?.id,
          lastSeen: expect.stringMatching(/^(deliveries|parked)$/),
        });
      }),
    );
  });

  it('given any such history, when two acceptances of a resource change places, then the order is found broken', () => {
    fc.assert(
      fc.property(fates(), fc.nat(), (events, choice) => {
        const history = new History();
        live(history, events);
        const evidence = history.evidence();
        const accepted = evidence.requests.filter(({ status }) => status === 200);
        const pairs = accepted.flatMap((first) =>
          accepted
            .filter((second) => second.resourceId === first.resourceId && second.sequence > first.sequence)
            .map((second) => [first, second] as const),
        );
        const [first, second] = pairs[choice % Math.max(1, pairs.length)] ?? [];
        fc.pre(first !== undefined && second !== undefined);
        const swapped = (one: typeof first, other: typeof first) =>
          one && other && { ...one, eventId: other.eventId, sequence: other.sequence, webhookId: other.webhookId };
        const requests = evidence.requests.map((request) => {
          if (request === first) return swapped(first, second) ?? request;
          return request === second ? (swapped(second, first) ?? request) : request;
        });

        expect(judge({ ...evidence, requests }).promises.P3.outcome).toBe('broken');
      }),
    );
  });

  it('given an answer that never came, then the event may have been taken or not', () => {
    const taken = new History();
    const event = taken.publish('a', { outcome: 'unknown' });
    taken.route(event);
    taken.deliver(event);
    taken.publish('a', { outcome: 'unknown', isStored: false });
    live(taken, [
      { resource: 'b', failures: 0 },
      { resource: 'b', failures: 0 },
    ]);
    const verdict = judge(taken.evidence());

    expect(verdict).toMatchObject({ outcome: 'kept', figures: { ...KEPT, unknown: 2 } });
  });

  it('given an event that was refused, when it is sent all the same, then that is found', () => {
    const history = new History();
    const event = history.publish('a', { outcome: 'fail' });
    history.route(event);
    history.deliver(event);

    expect(kindsOf(judge(history.evidence()))).toContain('never_accepted');
  });

  it('given a request with a wrong signature, or under another id, then both are found', () => {
    const history = new History();
    live(history, [
      { resource: 'a', failures: 0 },
      { resource: 'b', failures: 0 },
    ]);
    const evidence = history.evidence();
    const requests = evidence.requests.map((request, index) =>
      index === 0 ? { ...request, isSigned: false } : { ...request, webhookId: 'other' },
    );

    expect(judge({ ...evidence, requests }).promises.P2).toMatchObject({ outcome: 'broken', broken: 2 });
  });

  it('given a kill, then what was in flight may be repeated, and what was not may not', () => {
    const history = new History();
    const [early] = live(history, [{ resource: 'a', failures: 0 }]);
    history.tick(5_000);
    const event = history.publish('a');
    history.route(event);
    const cut = history.arrive(event);
    kill(history, 'dispatcher-0');
    history.answer(cut, undefined, true);
    history.deliver(event);
    const permitted = judge(history.evidence());
    if (early) history.answer(history.arrive(early, 1), 200);
    const after = judge(history.evidence());

    expect(permitted).toMatchObject({ outcome: 'kept', figures: { duplicates: 1, staleRepeats: 0 } });
    expect(after.promises.P2.findings).toMatchObject([
      { kind: 'too_many_duplicates', eventId: early?.id },
      { kind: 'too_many_stale_repeats', eventId: early?.id },
    ]);
  });

  it('given SIGTERM, then a single repeat is one too many', () => {
    const history = new History();
    history.run = { ...history.run, budgets: { ...history.run.budgets, duplicates: 0 } };
    const [event] = live(history, [
      { resource: 'a', failures: 0 },
      { resource: 'a', failures: 0 },
    ]);
    const at = history.tick();
    history.processes.push({ at, process: 'dispatcher-0', app: 'dispatcher', kind: 'stopping' });
    if (event) history.answer(history.arrive(event, 1), 200);

    expect(judge(history.evidence()).promises.P2).toMatchObject({
      outcome: 'broken',
      findings: [{ kind: 'too_many_duplicates' }, { kind: 'too_many_stale_repeats' }],
    });
  });

  it.each([
    { given: 'a fault that did not fire', fired: 0, inFlight: 5 },
    { given: 'a fault with nothing in flight', fired: 1, inFlight: 0 },
  ])('given $given, then the run is void', ({ fired, inFlight }) => {
    const history = new History();
    live(history, [
      { resource: 'a', failures: 0 },
      { resource: 'a', failures: 0 },
    ]);
    const from = history.now;
    history.faults.push({ kind: 'kill', target: 'dispatcher-0', from, to: from, fired, inFlight, ambiguous: 0 });

    expect(judge(history.evidence())).toMatchObject({ outcome: 'void', voidReasons: [expect.any(String)] });
  });

  it('given a run without load, then it is void', () => {
    expect(judge(new History().evidence()).outcome).toBe('void');
  });

  it('given a promise the run is there to try, when there is nothing to judge it by, then it is void', () => {
    const history = new History();
    live(history, [
      { resource: 'a', failures: 0 },
      { resource: 'a', failures: 0 },
    ]);
    history.run = { ...history.run, mustJudge: ['P5'] };

    expect(judge(history.evidence())).toMatchObject({ outcome: 'void', promises: { P5: { outcome: 'void' } } });
  });

  it('given a system that does not become quiet, or does so too late, then liveness is broken', () => {
    const never = new History();
    live(never, [
      { resource: 'a', failures: 0 },
      { resource: 'a', failures: 0 },
    ]);
    never.run = { ...never.run, quietAt: undefined };
    const late = new History();
    const event = late.publish('a');
    late.route(event);
    const from = late.now;
    late.faults.push({ kind: 'cut', target: 'kafka', from, to: late.tick(), fired: 1, inFlight: 1, ambiguous: 0 });
    late.tick(20_000);
    late.deliver(event);

    expect(kindsOf(judge(never.evidence()))).toEqual(new Set(['not_quiet']));
    expect(kindsOf(judge(late.evidence()))).toEqual(new Set(['healed_late', 'stalled']));
  });

  it('given a healthy endpoint that waits beside a bad one for longer than allowed, then isolation is broken', () => {
    const history = new History();
    history.run = { ...history.run, budgets: { ...history.run.budgets, isolationMs: 1_000 } };
    const event = history.publish('a');
    history.route(event);
    history.tick(2_000);
    history.deliver(event);
    const evidence = history.evidence();
    const bad = { ...history.endpoint, id: 'ep_bad', isBad: true, eventTypes: ['none'] };

    expect(judge({ ...evidence, endpoints: [history.endpoint, bad] }).promises.P4).toMatchObject({
      outcome: 'broken',
      findings: [{ kind: 'held_back' }],
    });
  });

  it('given a history that knows less, more or something else than the receiver, then each is found', () => {
    const history = new History();
    live(
      history,
      [0, 0, 0].map((failures) => ({ resource: 'a', failures })),
    );
    const evidence = history.evidence();
    const [first, second, third] = evidence.rows.attempts;
    if (!first || !second || !third) throw new Error('three attempts were made');
    const attempts = [{ ...second, statusCode: 500 }, third, { ...third, attempt: 2, statusCode: 200 }];
    const deliveries = evidence.rows.deliveries.map((row, index) =>
      index === 2 ? { ...row, status: 'dead' as const } : row,
    );
    const { promises } = judge({ ...evidence, rows: { ...evidence.rows, attempts, deliveries } });

    expect(promises.P8.findings.map(({ kind, eventId }) => [kind, eventId])).toEqual([
      ['attempt_untold', 'a-0'],
      ['attempt_untold', 'a-1'],
      ['attempt_invented', 'a-1'],
      ['attempt_invented', 'a-2'],
      ['wrong_status', 'a-2'],
    ]);
  });

  it('given a record nobody can understand, when it is not set aside, then that is found', () => {
    const history = new History();
    live(history, [
      { resource: 'a', failures: 0 },
      { resource: 'a', failures: 0 },
    ]);
    const evidence = history.evidence();
    const [entry] = evidence.ledger;
    if (!entry) throw new Error('events were published');
    const poison = {
      ...entry,
      eventId: 'poison',
      expects: 'dead_letter' as const,
      position: { partition: 0, offset: 99 },
    };

    expect(kindsOf(judge({ ...evidence, ledger: [...evidence.ledger, poison] }))).toEqual(
      new Set(['poison_not_set_aside']),
    );
  });

  it('given a commit that goes back while nothing is broken, then that is found', () => {
    const history = new History();
    live(history, [
      { resource: 'a', failures: 0 },
      { resource: 'a', failures: 0 },
    ]);
    const evidence = history.evidence();
    const [first] = evidence.commits;
    const commits = first ? [...evidence.commits, { ...first, endedAt: history.now }] : [];

    expect(kindsOf(judge({ ...evidence, commits }))).toEqual(new Set(['commit_went_back']));
  });
});

function kill(history: History, process: string): void {
  const at = history.tick();
  history.processes.push({ at, process, app: 'dispatcher', kind: 'killed' });
  history.processes.push({ at: history.tick(), process, app: 'dispatcher', kind: 'ready' });
  history.faults.push({ kind: 'kill', target: process, from: at, to: at, fired: 1, inFlight: 1, ambiguous: 0 });
}
