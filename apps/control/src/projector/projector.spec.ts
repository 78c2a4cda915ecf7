import { register } from 'prom-client';
import type { Generations } from '#common/generations/generations.js';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import type { InRecord } from '#common/records/record.js';
import type { BatchLogs, LogPassage, ProjectionWriter } from './projection-writer.js';
import { Projector } from './projector.js';

const NOTHING = { attempts: [], deadLetters: [], breakerChanges: [], rejected: [] };
const LOG = {
  ...{ topic: 'attempts', partition: 0, lost: new AbortController().signal },
  ...{ pause: () => undefined, resume: () => undefined, finish: () => undefined },
} as unknown as OwnedLog;
const record = (offset: number) => ({ topic: 'attempts', partition: 0, offset, timestamp: 1, value: null }) as InRecord;

/** Takes what one fetch after the other brought, and waits until it is written. @returns what the writer was given */
async function written(take: (projector: Projector) => void) {
  const starts: number[][] = [];
  const passed: LogPassage[] = [];
  const writer = {
    write: async (records: readonly InRecord[], { readFrom }: BatchLogs) => {
      for (const one of records) if (readFrom.has(one)) starts.push([one.offset, readFrom.get(one) ?? -1]);
      return NOTHING;
    },
    pass: async (passages: readonly LogPassage[]) => void passed.push(...passages),
  } as unknown as ProjectionWriter;
  const projector = new Projector(writer, { of: async () => 0 } as unknown as Generations);
  projector.onOwned(LOG);
  await Promise.resolve();
  take(projector);
  projector.onApplicationBootstrap();
  await projector.onRebalancing();
  await projector.onApplicationShutdown();
  return { starts, passed };
}

afterEach(() => register.clear());

describe('Projector', () => {
  it('given offsets without records between two records, then only the first record has the offset where reading began', async () => {
    const { starts, passed } = await written((projector) => {
      projector.take({ log: LOG, records: [record(5), record(9)], after: 4 });
      projector.onPassed(LOG, { after: 10, next: 12 });
      projector.take({ log: LOG, records: [record(15)], after: 10 });
      projector.onPassed(LOG, { after: 16, next: 16 });
    });
    expect(starts).toEqual([[5, 4]]);
    expect(passed).toEqual([]);
  });

  it('given records lost in the middle of a batch, then the next record has the offset where reading went on', async () => {
    const { starts } = await written((projector) => {
      projector.take({ log: LOG, records: [record(5)], after: 5 });
      projector.take({ log: LOG, records: [record(52)], after: 50 });
    });
    expect(starts).toEqual([
      [5, 5],
      [52, 50],
    ]);
  });

  it('given control records behind the last one, then they are stored as passed, after it', async () => {
    const { passed } = await written((projector) => {
      projector.take({ log: LOG, records: [record(5)], after: 5 });
      projector.onPassed(LOG, { after: 6, next: 8 });
    });
    expect(passed).toEqual([{ topic: 'attempts', partition: 0, generation: 0, after: 6, next: 8 }]);
  });
});
