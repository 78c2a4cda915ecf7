import { receiveDelivery } from '#common/records/received-delivery.js';
import type { InRecord } from '#common/records/record.js';
import { strangeRecords } from './corpus.js';
import { judgeGoodTraffic } from './judge.js';
import { samples } from './samples.js';
import { asRead, type StrangeRecord } from './strange-record.js';

const CAST = { endpointIds: ['ep_1'], nowMs: 1_790_000_000_000 };
const LIMIT_MS = 1_000;
const GOOD_EVERY = 10;
const MAX_BATCH_BYTES = 1_000_000;

/** Reads one record. @returns duration in virtual ms; throws where a process would end */
type Reader = (record: InRecord) => number;

const honest: Reader = (record) => {
  receiveDelivery(record, MAX_BATCH_BYTES);
  return 1;
};

/** Reads one partition in order, with a good record after every ten strange ones. Restarts an ended process twice. */
function runReader(reader: Reader) {
  const strange = strangeRecords({ seed: 7, cast: CAST, each: 200 }).filter(({ topic }) => topic === 'deliveries');
  const good = samples(CAST, 1).deliveries?.[0];
  if (good === undefined) throw new Error('there is no good record');
  const published: { id: string; at: number }[] = [];
  const arrivedAt = new Map<string, number>();
  const log = strange.flatMap((record, at): (StrangeRecord | 'good')[] =>
    at % GOOD_EVERY === 0 ? ['good', record] : [record],
  );
  let [now, pid] = [0, 1];
  log.forEach((entry, offset) => {
    const id = entry === 'good' ? `good-${offset}` : undefined;
    if (id !== undefined) published.push({ id, at: offset });
    if (pid > 2) return;
    const headers = Object.fromEntries(
      Object.entries(good.headers ?? {}).map(([name, text]) => [name, Buffer.from(text)]),
    );
    const goodRecord = {
      topic: 'deliveries',
      name: 'good',
      key: Buffer.from(good.key),
      value: Buffer.from(good.value),
      headers,
    };
    try {
      now = Math.max(now, offset) + reader(asRead(entry === 'good' ? goodRecord : entry, offset));
      if (id !== undefined) arrivedAt.set(id, now);
    } catch {
      pid++;
    }
  });
  return judgeGoodTraffic({
    published,
    arrivedAt,
    limitMs: LIMIT_MS,
    before: { dispatcher: 1 },
    after: { dispatcher: pid },
  });
}

describe('the judge of good traffic beside strange records', () => {
  it('given the reader of deliveries, then the judge finds no problem', () => {
    expect(runReader((record) => honest(record) * 0.5)).toEqual([]);
  });

  it.each<{ broken: string; reader: Reader; problem: string }>([
    {
      broken: 'throws at a header that is there by birth',
      reader: (record) => {
        if ('__proto__' in { ...record.headers } && Object.hasOwn(record.headers, '__proto__'))
          throw new TypeError('no buffer');
        return honest(record) * 0.5;
      },
      problem: 'dispatcher was started again',
    },
    {
      broken: 'repeats a NUL in the packed header',
      reader: (record) => (record.headers.posthorn?.includes(0) ? Number.POSITIVE_INFINITY : 0.5),
      problem: 'was delivered after Infinity ms',
    },
    {
      broken: 'takes a second for each that has no key',
      reader: (record) => (record.key === null ? 1_100 : 0.5),
      problem: 'was delivered after 1',
    },
    {
      broken: 'loses what follows a record without value',
      reader: (() => {
        let isLost = false;
        return (record: InRecord) => {
          isLost ||= record.value === null;
          if (isLost) throw new Error('lost');
          return 0.5;
        };
      })(),
      problem: 'was not delivered',
    },
  ])('given a reader that $broken, then the judge finds the problem', ({ reader, problem }) => {
    expect(runReader(reader).join('\n')).toContain(problem);
  });

  it('given no good traffic, then the judge finds a problem', () => {
    const nothing = { published: [], arrivedAt: new Map(), limitMs: LIMIT_MS, before: {}, after: {} };
    expect(judgeGoodTraffic(nothing)).toEqual(['there was no good traffic']);
  });
});
