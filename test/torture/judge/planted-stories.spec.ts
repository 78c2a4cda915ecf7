import { describe, expect, it } from '@jest/globals';
import { judge } from './judge.js';
import { History } from './testing/history.js';
import { kindsOf } from './testing/lives.js';
import type { Verdict } from './verdict.js';

/*
 * Evidence of eight planted bugs (docs/reliability.md), each in two histories: with the promise kept, and with the bug.
 * `npm run torture -- --planted` plants the same bugs in the built apps, on real servers.
 */

function told(story: (history: History) => void): Verdict {
  const history = new History();
  story(history);
  return judge(history.evidence());
}

function strike(history: History, kind: 'kill' | 'freeze' | 'retention', target: string, inFlight: number): void {
  const from = history.tick();
  history.faults.push({ kind, target, from, to: from, fired: 1, inFlight });
}

/** SIGKILL, and a restart by the supervisor. */
function kill(history: History): void {
  strike(history, 'kill', 'dispatcher-0', 1);
  const process = { process: 'dispatcher-0', app: 'dispatcher' } as const;
  history.processes.push({ ...process, at: history.tick(), kind: 'killed' });
  history.processes.push({ ...process, at: history.tick(), kind: 'ready' });
}

/** Two healthy events, so that every story has a lane to judge. */
function warmUp(history: History): void {
  for (const event of [history.publish('warm'), history.publish('warm')]) {
    history.route(event);
    history.deliver(event);
  }
  history.sample();
}

describe('commit before POST', () => {
  const story = (isPlanted: boolean) => (history: History) => {
    warmUp(history);
    const event = history.publish('a');
    history.route(event);
    if (isPlanted) history.finishDelivery(event);
    const request = history.arrive(event);
    history.sample();
    kill(history);
    history.answer(request, undefined, true);
    if (!isPlanted) history.deliver(event);
  };

  it('given the promise, then the attempt is made again', () => {
    expect(told(story(false)).outcome).toBe('kept');
  });

  it('given the bug, then the delivery is lost, last seen at the receiver, and the commit was too early', () => {
    const verdict = told(story(true));
    expect(kindsOf(verdict)).toEqual(new Set(['lost', 'committed_too_early']));
    expect(verdict.promises.P1.findings[0]).toMatchObject({ eventId: 'a-0', lastSeen: 'receiver' });
  });
});

describe('acknowledged before Kafka has it', () => {
  it('given the bug, then the event is lost, last seen in the ledger', () => {
    const verdict = told((history) => {
      warmUp(history);
      history.publish('a', { isStored: false });
      strike(history, 'kill', 'kafka', 1);
    });
    expect(kindsOf(verdict)).toEqual(new Set(['lost']));
    expect(verdict.promises.P1.findings[0]).toMatchObject({ eventId: 'a-0', lastSeen: 'ledger' });
  });
});

describe('lane order skipped', () => {
  const story = (isPlanted: boolean) => (history: History) => {
    const [first, second] = [history.publish('a'), history.publish('a')];
    history.route(first);
    history.route(second);
    history.fail(first);
    if (isPlanted) history.deliver(second);
    history.bringBack(first);
    history.deliver(first);
    if (!isPlanted) history.deliver(second);
  };

  it('given the promise, then the second delivery waits', () => {
    expect(told(story(false)).outcome).toBe('kept');
  });

  it('given the bug, then the judge finds the early attempt, and the delivery accepted first', () => {
    expect(kindsOf(told(story(true)))).toEqual(new Set(['overtaken', 'out_of_order']));
  });
});

describe('a parked row dropped', () => {
  const story = (isPlanted: boolean) => (history: History) => {
    const [first, second] = [history.publish('a'), history.publish('a')];
    history.route(first);
    history.route(second);
    history.fail(first);
    history.park(second);
    if (isPlanted) history.unpark(second);
    history.sample();
    history.bringBack(first);
    history.deliver(first);
    if (!isPlanted) history.deliver(second);
    history.unpark(second);
  };

  it('given the promise, then the parked delivery is delivered', () => {
    expect(told(story(false)).outcome).toBe('kept');
  });

  it('given the bug, then the delivery is lost, last seen in deliveries, and its offset was finished too early', () => {
    const verdict = told(story(true));
    expect(kindsOf(verdict)).toEqual(new Set(['lost', 'committed_too_early']));
    expect(verdict.promises.P1.findings[0]).toMatchObject({ eventId: 'a-1', lastSeen: 'deliveries' });
  });
});

describe('a retry produced after the commit', () => {
  it('given the bug and a kill between the two, then the delivery is lost after an attempt that failed', () => {
    const verdict = told((history) => {
      warmUp(history);
      const event = history.publish('a');
      history.route(event);
      history.answer(history.arrive(event), 500);
      history.finishDelivery(event);
      history.sample();
      kill(history);
    });
    expect(kindsOf(verdict)).toEqual(new Set(['lost', 'committed_too_early']));
    expect(verdict.promises.P1.findings[0]).toMatchObject({ eventId: 'a-0', lastSeen: 'receiver' });
  });
});

describe('probes that ignore the breaker', () => {
  const story = (probes: number) => (history: History) => {
    const events = Array.from({ length: 4 }, (_, index) => history.publish(`r${index}`));
    for (const event of events) history.route(event);
    const [dead, ...rest] = events;
    for (let failed = 0; failed < 3 && dead; failed++) {
      history.fail(dead);
      history.bringBack(dead);
    }
    if (dead) history.die(dead);
    history.breaker('closed');
    history.breaker('open');
    history.tick(5_000);
    history.breaker('half_open');
    for (const event of rest.slice(0, probes)) history.deliver(event);
    history.breaker('closed');
    for (const event of rest.slice(probes)) history.deliver(event);
  };

  it('given the promise, then one probe is made', () => {
    expect(told(story(1)).promises.P5).toMatchObject({ outcome: 'kept', checked: 2 });
  });

  it('given the bug, then the judge finds the other probes', () => {
    expect(kindsOf(told(story(3)))).toEqual(new Set(['several_probes']));
  });

  it('given an attempt while the breaker is open, then the judge finds it', () => {
    const verdict = told((history) => {
      history.breaker('open');
      history.tick(5_000);
      warmUp(history);
    });
    expect(kindsOf(verdict)).toEqual(new Set(['sent_while_open']));
  });
});

describe('no epoch fence', () => {
  const story = (staleRequests: number) => (history: History) => {
    const events = Array.from({ length: 4 }, () => history.publish('a'));
    for (const event of events) history.route(event);
    strike(history, 'freeze', 'dispatcher-0', 1);
    const process = { process: 'dispatcher-0', app: 'dispatcher' } as const;
    history.processes.push({ ...process, at: history.now, kind: 'frozen' });
    history.tick(8_000);
    for (const event of events) history.deliver(event);
    history.processes.push({ ...process, at: history.tick(), kind: 'continued' });
    for (const event of events.slice(0, staleRequests)) history.answer(history.arrive(event, 1), 200);
  };

  it('given the promise, then the one request that a frozen process had begun is permitted, and counted', () => {
    expect(told(story(1))).toMatchObject({ outcome: 'kept', figures: { duplicates: 1, staleRepeats: 1 } });
  });

  it('given the bug, then the judge finds the lane that the resumed process continued', () => {
    expect(kindsOf(told(story(3)))).toEqual(new Set(['too_many_stale_repeats']));
  });

  it('given the bug, then the judge finds a head of the resumed process by its late repeat', () => {
    const verdict = told((history) => {
      story(0)(history);
      history.tick(20_000);
      const [first] = history.requests;
      if (first) history.answer(history.arrive({ ...history.publish('b'), id: first.eventId }, 2), 200);
    });
    expect(kindsOf(verdict)).toContain('too_many_duplicates');
  });

  it("given the bug, then a head that overwrites a successor's stops the lane, and the judge finds it", () => {
    const verdict = told((history) => {
      const [first, second] = [history.publish('a'), history.publish('a')];
      history.route(first);
      history.route(second);
      history.deliver(first);
      history.park(second);
      history.run = { ...history.run, quietAt: undefined };
    });
    expect(kindsOf(verdict)).toEqual(new Set(['not_quiet', 'still_waiting']));
  });
});

describe('out of range ignored', () => {
  const story = (isReported: boolean) => (history: History) => {
    warmUp(history);
    const gone = history.publish('a');
    history.route(gone);
    history.sample();
    strike(history, 'retention', 'deliveries', 1);
    history.truncate('deliveries', 3);
    history.finish('deliveries', 2);
    const alarm = { process: 'dispatcher-0', topic: 'deliveries', partition: 0, lostRecords: 1, nextOffset: 3 };
    if (isReported) history.alarms.push({ at: history.tick(), ...alarm });
    const next = history.publish('a');
    history.route(next);
    history.deliver(next);
  };

  it('given the promise, then records deleted by retention are reported, and counted', () => {
    expect(kindsOf(told(story(true)))).toEqual(new Set());
    expect(told(story(true)).figures).toMatchObject({ lost: 0, reportedLost: 1 });
  });

  it('given the bug, then the judge finds the loss, and the missing alarm', () => {
    expect(kindsOf(told(story(false)))).toEqual(
      new Set(['lost', 'overtaken', 'committed_too_early', 'skipped_silently']),
    );
  });
});
