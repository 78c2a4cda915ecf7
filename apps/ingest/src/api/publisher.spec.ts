import { KafkaUnavailableError, type RecordWriter, type WriteOptions } from '#common/kafka/port/record-writer.js';
import type { OutRecord } from '#common/records/record.js';
import type { AddressedEvent } from './event-request.js';
import { EventPublisher } from './publisher.js';

const LIMITS = { maxEventBytes: 1_024, maxWaitingRequests: 2, maxWaitingBytes: 3_000, timeoutMs: 500 };
const event = (over: Partial<AddressedEvent> = {}): AddressedEvent => ({
  id: 'evt_1',
  type: 'a',
  tenant: 'acme',
  resourceId: undefined,
  occurredAt: undefined,
  rawData: '1',
  trace: {},
  ...over,
});

/** Leaves writes in flight until the test confirms or refuses them. */
class HeldWriter {
  readonly records: OutRecord[] = [];
  readonly options: (WriteOptions | undefined)[] = [];
  private readonly held: PromiseWithResolvers<void>[] = [];

  write(records: readonly OutRecord[], options?: WriteOptions): Promise<void> {
    this.records.push(...records);
    this.options.push(options);
    const result = Promise.withResolvers<void>();
    this.held.push(result);
    return result.promise;
  }

  confirm(): void {
    for (const { resolve } of this.held.splice(0)) resolve();
  }

  refuse(error: Error): void {
    for (const { reject } of this.held.splice(0)) reject(error);
  }
}

function given(limits: Partial<typeof LIMITS> = {}) {
  const writer = new HeldWriter();
  return { writer, publisher: new EventPublisher(writer as unknown as RecordWriter, { ...LIMITS, ...limits }) };
}

describe('EventPublisher', () => {
  it('given an event, then publish resolves only when Kafka has confirmed', async () => {
    const { writer, publisher } = given();
    let isDone = false;
    const publishing = publisher.publish([event({ resourceId: 'r' })]).then(() => {
      isDone = true;
    });
    await new Promise(setImmediate);
    expect(isDone).toBe(false);
    writer.confirm();
    await publishing;
    expect(writer.records).toMatchObject([{ topic: 'ingest', key: 'r', headers: { 'posthorn-door': 'http' } }]);
    expect(String(writer.records[0]?.value)).toBe(
      '{"id":"evt_1","type":"a","tenant":"acme","resource_id":"r","data":1}',
    );
    expect(writer.options).toEqual([{ timeoutMs: 500 }]);
  });

  it('given no resource, then the id is the key', async () => {
    const { writer, publisher } = given();
    const publishing = publisher.publish([event()]);
    writer.confirm();
    await publishing;
    expect(writer.records[0]?.key).toBe('evt_1');
  });

  it('given Kafka unavailable, then 503 with retry-after', async () => {
    const { writer, publisher } = given();
    const publishing = publisher.publish([event()]);
    writer.refuse(new KafkaUnavailableError('away'));
    await expect(publishing).rejects.toMatchObject({ code: 'EVENT_LOG_UNAVAILABLE', extra: { retryAfterS: 2 } });
  });

  it('given as many waiting requests as may wait, then the next gets 503 until one is through', async () => {
    const { writer, publisher } = given();
    const waiting = [publisher.publish([event()]), publisher.publish([event()])];
    await expect(publisher.publish([event()])).rejects.toMatchObject({ code: 'EVENT_LOG_UNAVAILABLE' });
    writer.confirm();
    await Promise.all(waiting);
    const next = publisher.publish([event()]);
    writer.confirm();
    await next;
  });

  it('given as many waiting bytes as may wait, then the next gets 503, but one alone never', async () => {
    const { writer, publisher } = given({ maxWaitingRequests: 10, maxWaitingBytes: 500 });
    const large = event({ rawData: `"${'x'.repeat(1_000)}"` });
    const waiting = publisher.publish([large]);
    await expect(publisher.publish([event()])).rejects.toMatchObject({ code: 'EVENT_LOG_UNAVAILABLE' });
    writer.confirm();
    await waiting;
  });

  it('given a failure other than Kafka unavailable, then publish throws the same error, and no request waits', async () => {
    const { writer, publisher } = given({ maxWaitingRequests: 1 });
    const failing = publisher.publish([event()]);
    writer.refuse(new RangeError('a bug'));
    await expect(failing).rejects.toThrow(RangeError);
    const next = publisher.publish([event()]);
    writer.confirm();
    await next;
  });

  it('given data that is too large as JSON, then 413 and nothing is written', async () => {
    const { writer, publisher } = given();
    const large = event({ rawData: JSON.stringify('"'.repeat(1_000)) });
    await expect(publisher.publish([event(), large])).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
    expect(writer.records).toEqual([]);
  });
});
