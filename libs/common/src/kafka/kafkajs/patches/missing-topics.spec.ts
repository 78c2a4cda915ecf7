import { describe, expect, it } from '@jest/globals';
import MetadataRequest from 'kafkajs/src/protocol/requests/metadata/index.js';
import { patchKafkajs } from './patch-kafkajs.js';

describe('an answer about topics', () => {
  const partition = (partitionId: number, leader: number, partitionErrorCode = 0) => ({
    ...{ partitionId, leader, partitionErrorCode },
    ...{ replicas: [], isr: [], offlineReplicas: [] },
  });
  const parse = (topicMetadata: Parameters<Parse>[0]['topicMetadata']) => {
    patchKafkajs();
    return MetadataRequest.protocol({ version: 6 })({ topics: [] }).response.parse({ topicMetadata });
  };
  type Parse = ReturnType<ReturnType<typeof MetadataRequest.protocol>>['response']['parse'];

  it('given a missing topic and a partition without a leader, then all others are known', async () => {
    const { topicMetadata } = await parse([
      { topic: 'log', topicErrorCode: 0, partitionMetadata: [partition(0, 1), partition(1, 3, 5)] },
      { topic: 'gone', topicErrorCode: 3, partitionMetadata: [] },
    ]);

    expect(topicMetadata).toMatchObject([
      { topic: 'log', partitionMetadata: [{ leader: 1 }, { leader: -1, partitionErrorCode: 0 }] },
      { topic: 'gone', topicErrorCode: 0, partitionMetadata: [] },
    ]);
  });

  it('given a topic that may not be read, then that is still an error', async () => {
    const refused = parse([{ topic: 'secret', topicErrorCode: 29, partitionMetadata: [] }]);
    await expect(refused).rejects.toMatchObject({ type: 'TOPIC_AUTHORIZATION_FAILED' });
  });
});
