import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import type { InRecord } from '#common/records/record.js';
import { RecordQueue } from './record-queue.js';

class PausableLog {
  isPaused = false;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
}
const newLog = () => new PausableLog() as unknown as OwnedLog & PausableLog;
const record = (offset: number, bytes = 0) =>
  ({ offset, key: null, value: Buffer.alloc(bytes), headers: {} }) as unknown as InRecord;
const offsets = (taken: readonly { record: InRecord }[]) => taken.map((queued) => queued.record.offset);

const KIB = 1_024;

describe('RecordQueue', () => {
  it('given records of two partitions, then a batch has them in the order of arrival', () => {
    const queue = new RecordQueue(KIB * KIB);
    queue.add(newLog(), [record(1), record(2)]);
    queue.add(newLog(), [record(1)]);
    expect(offsets(queue.take())).toEqual([1, 2, 1]);
    expect(queue.isEmpty).toBe(true);
  });

  it('given many or large records, then a batch is limited, but never empty', () => {
    const queue = new RecordQueue(100 * KIB * KIB);
    queue.add(
      newLog(),
      Array.from({ length: 700 }, (_, offset) => record(offset)),
    );
    expect([queue.take().length, queue.take().length]).toEqual([500, 200]);
    queue.add(newLog(), [record(1, 5 * KIB * KIB), record(2, 10)]);
    expect([offsets(queue.take()), offsets(queue.take())]).toEqual([[1], [2]]);
  });

  it('given more bytes than the limit, then the partition pauses until half of the limit is released', () => {
    const queue = new RecordQueue(10 * KIB);
    const [full, other] = [newLog(), newLog()];
    queue.add(other, [record(1, KIB)]);
    queue.add(full, [record(1, 4 * KIB), record(2, 4 * KIB), record(3, 4 * KIB)]);
    expect([full.isPaused, other.isPaused]).toEqual([true, false]);
    const taken = queue.take();
    expect(full.isPaused).toBe(true);
    queue.release(taken.slice(0, 2));
    expect(full.isPaused).toBe(true);
    queue.release(taken.slice(2));
    expect(full.isPaused).toBe(false);
  });

  it('given a batch that is put back, then the next batch begins with its records', () => {
    const queue = new RecordQueue(KIB * KIB);
    const log = newLog();
    queue.add(log, [record(1)]);
    const taken = queue.take();
    queue.add(log, [record(2)]);
    queue.putBack(taken);
    expect(offsets(queue.take())).toEqual([1, 2]);
  });

  it('given a lost partition, then its records leave the queue, and are not put back', () => {
    const queue = new RecordQueue(KIB * KIB);
    const [lost, kept] = [newLog(), newLog()];
    queue.add(lost, [record(1)]);
    queue.add(kept, [record(2)]);
    const taken = queue.take();
    queue.add(lost, [record(3)]);
    queue.drop(lost);
    queue.putBack(taken);
    queue.release(taken.slice(0, 1));
    expect(offsets(queue.take())).toEqual([2]);
  });
});
