import { randomBytes } from 'node:crypto';
import { MAX_COUNT } from '#common/records/limits.js';
import { topicSpecs } from '#common/records/topics.js';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import { refusedReplays } from './metrics.js';
import { ReplayRecords } from './replay-records.js';

const settings = { topics: topicSpecs({ logPartitions: 1, sidePartitions: 1, maxEventBytes: 1_024 }) };
const MAX_BYTES = Number(settings.topics[0]?.config['max.message.bytes']);
const records = new ReplayRecords(new DeadLetterSigner(`k1:${randomBytes(32).toString('base64')}`), settings);
const LETTER = { id: 'dl_1', reason: 'max_retries', key: Buffer.from('ep_1'), headers: {}, replay: null };

const refused = async () => (await refusedReplays.get()).values[0]?.value ?? 0;

describe('ReplayRecords', () => {
  it('given a dead letter that fits, then its record goes to deliveries', () => {
    const value = Buffer.from('{}');
    expect(records.of({ ...LETTER, value })).toMatchObject({ topic: 'deliveries', key: LETTER.key, value });
  });

  it.each([
    {
      given: 'larger than deliveries takes',
      over: { value: Buffer.alloc(MAX_BYTES) },
      problem: `has ${MAX_BYTES + 4}`,
    },
    {
      given: 'so large that a retry would not fit',
      over: { value: Buffer.alloc(MAX_BYTES - 5_000) },
      problem: 'deliveries takes',
    },
    { given: 'replayed as often as can be', over: { replay: MAX_COUNT }, problem: 'the most there is' },
  ])('given a dead letter $given, then it is refused with the reason, and counted', async ({ over, problem }) => {
    const before = await refused();
    expect(records.of({ ...LETTER, value: null, ...over })).toContain(problem);
    expect(await refused()).toBe(before + 1);
  });
});
