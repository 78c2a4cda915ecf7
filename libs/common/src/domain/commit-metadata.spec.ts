import fc from 'fast-check';
import { type CommittedLog, decodeLog, encodeCommit } from './commit-metadata.js';
import { decodeFinished, MAX_METADATA_BYTES } from './finished-runs.js';

const logs: fc.Arbitrary<CommittedLog> = fc.record({
  topicId: fc.option(
    fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
    { nil: undefined },
  ),
  leaderEpoch: fc.option(fc.nat(), { nil: undefined }),
  evidence: fc.option(fc.record({ offset: fc.maxSafeNat(), timestamp: fc.maxSafeNat() }), { nil: undefined }),
});

describe('commit metadata', () => {
  it('given any log and finished offsets, then both come back', () => {
    fc.assert(
      fc.property(logs, fc.uniqueArray(fc.integer({ min: 101, max: 2_000 }), { maxLength: 200 }), (log, offsets) => {
        const finished = offsets.sort((a, b) => a - b);
        const metadata = encodeCommit(log, 100, finished);
        expect(decodeLog(metadata)).toEqual(log);
        expect(decodeFinished(100, metadata)).toEqual(finished);
      }),
    );
  });

  it('given more finished offsets than fit, then the log and the lowest come back', () => {
    const log = { topicId: 'A'.repeat(22), leaderEpoch: 7, evidence: { offset: 999, timestamp: 1_795_325_008_000 } };
    const finished = Array.from({ length: 20_000 }, (_, index) => 1_001 + 2 * index);
    const metadata = encodeCommit(log, 1_000, finished);
    expect(metadata.length).toBeLessThanOrEqual(MAX_METADATA_BYTES);
    expect(metadata.length).toBeGreaterThan(MAX_METADATA_BYTES - 8);
    expect(decodeLog(metadata)).toEqual(log);
    const decoded = decodeFinished(1_000, metadata);
    expect(decoded).toEqual(finished.slice(0, decoded.length));
  });

  it.each(['', null, undefined, 'ph1:AQE', 'some other tool', 'ph2:', 'ph2:id:x::', 'ph2:id:1:2:', 'ph3:id:1::'])(
    'given %j, then the log is unknown',
    (metadata) => expect(decodeLog(metadata)).toBeUndefined(),
  );

  it.each([
    'ph2:id:2147483648::',
    'ph2:id:9999999999::',
    'ph2:id:1:9007199254740993.1:',
    'ph2:id:1:1.9999999999999999:',
  ])('given %j, with a number out of range, then the log is unknown', (metadata) =>
    expect(decodeLog(metadata)).toBeUndefined(),
  );

  it('given any text at all, then it is read or refused, and never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        decodeLog(text);
        decodeLog(`ph2:${text}`);
        decodeFinished(0, `ph2:a:1::${text}`);
      }),
    );
  });
});
