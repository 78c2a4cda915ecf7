import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Evidence } from './evidence.js';
import { judge } from './judge.js';
import { History } from './testing/history.js';
import { fates, healthy, kindsOf, live } from './testing/lives.js';

const KEPT = { lost: 0, outOfOrder: 0, duplicates: 0, staleRepeats: 0 };

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

  it('given any such history, when the last records of one delivery are removed, then the judge finds the delivery lost', () => {
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

  it('given any such history, when two acceptances of a resource are swapped, then the judge finds the order broken', () => {
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

  it.each([
    { given: 'a fault that did not fire', fired: 0, inFlight: 5 },
    { given: 'a fault with nothing in flight', fired: 1, inFlight: 0 },
  ])('given $given, then the run is void', ({ fired, inFlight }) => {
    const history = new History();
    live(history, healthy(2));
    const from = history.now;
    history.faults.push({ kind: 'kill', target: 'dispatcher-0', from, to: from, fired, inFlight });

    expect(judge(history.evidence())).toMatchObject({ outcome: 'void', voidReasons: [expect.any(String)] });
  });

  it('given a run without load, then it is void', () => {
    expect(judge(new History().evidence()).outcome).toBe('void');
  });

  it('given a promise that the run tests, when it has no evidence for it, then the run is void', () => {
    const history = new History();
    live(history, healthy(2));
    history.run = { ...history.run, mustJudge: ['P5'] };

    expect(judge(history.evidence())).toMatchObject({ outcome: 'void', promises: { P5: { outcome: 'void' } } });
  });
});
