import { describe, expect, it } from '@jest/globals';
import type { Evidence } from './evidence.js';
import { judge } from './judge.js';
import { History } from './testing/history.js';
import { healthy, kindsOf, live } from './testing/lives.js';

/**
 * Two deliveries wait at the loss of the database. A third is delivered before they are sent again, in the given order.
 */
function restoredStory(order: readonly [number, number]): { evidence: Evidence; lane: string; at: number } {
  const history = new History();
  live(history, healthy(2));
  const lost = [history.publish('a'), history.publish('a')];
  for (const event of lost) {
    history.route(event);
    history.park(event);
  }
  history.sample();
  for (const event of lost) history.unpark(event);
  const at = history.tick();
  const later = history.publish('a');
  history.route(later);
  history.deliver(later);
  for (const index of order) {
    const event = lost[index];
    if (event) history.deliver(event);
  }
  return { evidence: history.evidence(), lane: `${history.endpoint.id}:a`, at };
}

const restored = (at: number, overtaken: string[], waiting: string[] = []) => ({
  at,
  waiting: new Set(waiting),
  rebuilds: [],
  overtaken: new Set(overtaken),
});

describe('a restored database', () => {
  it('given a later delivery before the restored ones, then its lane must be listed', () => {
    const { evidence, lane, at } = restoredStory([0, 1]);

    expect(judge({ ...evidence, restored: restored(at, [lane]) })).toMatchObject({ outcome: 'kept' });
    expect(kindsOf(judge({ ...evidence, restored: restored(at, []) }))).toEqual(new Set(['out_of_order', 'overtaken']));
  });

  it('given a listed lane, when the restored deliveries are out of order, then the judge finds it', () => {
    const { evidence, lane, at } = restoredStory([1, 0]);

    expect(kindsOf(judge({ ...evidence, restored: restored(at, [lane]) }))).toEqual(
      new Set(['out_of_order', 'overtaken']),
    );
  });

  it('given a repeated delivery, then it must have waited in the backup', () => {
    const history = new History();
    const [event] = live(history, healthy(2));
    const at = history.tick();
    if (event) history.answer(history.arrive(event, 1), 200);
    const evidence = history.evidence();
    const kinds = (waiting: string[]) => kindsOf(judge({ ...evidence, restored: restored(at, [], waiting) }));

    expect(kinds([event?.deliveryId ?? ''])).toEqual(new Set());
    expect(kinds([])).toEqual(new Set(['too_many_duplicates', 'too_many_stale_repeats']));
  });

  it('given a lost head whose return is stale, then a rebuild must have sent it again', () => {
    const history = new History();
    live(history, healthy(2));
    const event = history.publish('a');
    history.route(event);
    history.fail(event);
    const at = history.tick();
    history.bringBack(event);
    history.finishDelivery(event);
    history.sample();
    const from = history.tick();
    history.sendAgain(event);
    const to = history.tick();
    history.deliver(event);
    const evidence = history.evidence();
    const kinds = (rebuilds: { from: number; to: number }[]) =>
      kindsOf(judge({ ...evidence, restored: { ...restored(at, [], [event.deliveryId]), rebuilds } }));

    expect(kinds([{ from, to }])).toEqual(new Set());
    expect(kinds([])).toEqual(new Set(['committed_too_early']));
  });
});
