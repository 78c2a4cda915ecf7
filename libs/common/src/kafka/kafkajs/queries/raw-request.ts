/** kafkajs's broker, as far as requests that kafkajs does not know are sent to it. */
export interface RequestBroker {
  /** By API key; null before the first connection. */
  readonly versions: Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number }>> | null;
  readonly connectionPool: { send(request: object): Promise<unknown> };
  metadata(topics: readonly string[]): Promise<{
    readonly topicMetadata: readonly {
      readonly topic: string;
      readonly topicErrorCode: number;
      readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
    }[];
  }>;
  listOffsets(request: {
    isolationLevel: number;
    topics: readonly { topic: string; partitions: readonly { partition: number; timestamp: string }[] }[];
  }): Promise<{
    readonly responses: readonly { topic: string; partitions: readonly { partition: number; offset: string }[] }[];
  }>;
  disconnect(): Promise<void>;
}

/** kafkajs's cluster, likewise. */
export interface RequestCluster {
  readonly brokerPool: { findConnectedBroker(): Promise<RequestBroker> };
  findBroker(of: { nodeId: number }): Promise<RequestBroker>;
}

/** A request in the bytes of its protocol. */
export interface RawRequest<Answer> {
  readonly apiKey: number;
  readonly apiVersion: number;
  /** For kafkajs's log. */
  readonly apiName: string;
  /** What follows the client id in the request. */
  readonly body: Buffer;
  /** @param bytes what follows the correlation id in the answer */
  readonly decode: (bytes: Buffer) => Answer;
}

/** Sends it over a connection that kafkajs keeps. Its queue, timeout and authentication apply. */
export async function askBroker<Answer>(broker: RequestBroker, raw: RawRequest<Answer>): Promise<Answer> {
  const { apiKey, apiVersion, apiName, body } = raw;
  const encode = async () => ({ buf: body, buffer: body });
  const response = { decode: async (bytes: Buffer) => raw.decode(bytes), parse: async (answer: Answer) => answer };
  try {
    return (await broker.connectionPool.send({ request: { apiKey, apiVersion, apiName, encode }, response })) as Answer;
  } catch (error) {
    // A closed connection is opened again only after kafkajs was asked to close it, too.
    if (error instanceof Error && error.name === 'KafkaJSConnectionClosedError') await broker.disconnect();
    throw error;
  }
}
