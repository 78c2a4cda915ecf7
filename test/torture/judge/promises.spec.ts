import { describe, expect, it } from '@jest/globals';
import { judge } from './judge.js';
import { History } from './testing/history.js';
import { healthy, kindsOf, live } from './testing/lives.js';

const KEPT = { lost: 0, outOfOrder: 0, duplicates: 0, staleRepeats: 0 };

describe('the promises', () => {
  it('given a publish without an answer, then the event may be stored or not', () => {
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

  it('given a rejected event, when it is sent nevertheless, then the judge finds it', () => {
    const history = new History();
    const event = history.publish('a', { outcome: 'fail' });
    history.route(event);
    history.deliver(event);

    expect(kindsOf(judge(history.evidence()))).toContain('never_accepted');
  });

  it('given a request with a wrong signature, or under another id, then the judge finds both', () => {
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

  it('given a kill, then only attempts in flight may repeat', () => {
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

  it('given SIGTERM, then one repeat breaks the promise', () => {
    const history = new History();
    history.run = { ...history.run, budgets: { ...history.run.budgets, duplicates: 0 } };
    const [event] = live(history, healthy(2));
    const at = history.tick();
    history.processes.push({ at, process: 'dispatcher-0', app: 'dispatcher', kind: 'stopping' });
    if (event) history.answer(history.arrive(event, 1), 200);

    expect(judge(history.evidence()).promises.P2).toMatchObject({
      outcome: 'broken',
      findings: [{ kind: 'too_many_duplicates' }, { kind: 'too_many_stale_repeats' }],
    });
  });

  it('given a system that does not become quiet, or does so too late, then liveness is broken', () => {
    const never = new History();
    live(never, healthy(2));
    never.run = { ...never.run, quietAt: undefined };
    const late = new History();
    const event = late.publish('a');
    late.route(event);
    const from = late.now;
    late.faults.push({ kind: 'cut', target: 'kafka', from, to: late.tick(), fired: 1, inFlight: 1 });
    late.tick(20_000);
    late.deliver(event);

    expect(kindsOf(judge(never.evidence()))).toEqual(new Set(['not_quiet']));
    expect(kindsOf(judge(late.evidence()))).toEqual(new Set(['healed_late', 'stalled']));
  });

  it('given a healthy endpoint that waits longer than the limit because of a bad one, then isolation is broken', () => {
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

  it('given a history that has less, more or other attempts than the receiver, then the judge finds each', () => {
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

  it('given a poison record without a dead letter, then the judge finds it', () => {
    const history = new History();
    live(history, healthy(2));
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

  it('given a commit that goes back without a fault, then the judge finds it', () => {
    const history = new History();
    live(history, healthy(2));
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
  history.faults.push({ kind: 'kill', target: process, from: at, to: at, fired: 1, inFlight: 1 });
}
