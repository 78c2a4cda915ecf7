/** The parts of kafkajs 2.2.4 that its public types leave out and that this folder must reach (docs/adr/0002). */
declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    pending: unknown[];
    readonly inflight: ReadonlyMap<
      number,
      { readonly sentAt: number; readonly requestTimeout: number; timeoutRequest(): void }
    >;
    readonly requestTimeout: number;
    readonly enforceRequestTimeout: boolean;
    requestTimeoutIntervalId: NodeJS.Timeout;
    readonly isConnected: () => boolean;
    scheduleCheckPendingRequests(): void;
    scheduleRequestTimeoutCheck(): void;
    destroy(): void;
  }
}

declare module 'kafkajs/src/broker/index.js' {
  import type { RequestDefinition, RequestProtocol } from '../connection/broker-connections.js';
  export default class Broker {
    /** Finds the version of a request that both sides speak. */
    lookupRequest: (apiKey: number, definition: RequestDefinition) => (content: object) => RequestProtocol;
    isConnected(): boolean;
    fetch(request: { readonly topics: readonly object[] }): Promise<unknown>;
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    readonly connectionPool: {
      readonly host: string;
      readonly port: number;
      send(request: object): Promise<unknown>;
    };
    findGroupCoordinator(query: { groupId: string }): Promise<{ coordinator: { host: string; port: number } }>;
    offsetCommit(request: {
      groupId: string;
      groupGenerationId: number;
      memberId: string;
      topics: readonly object[];
    }): Promise<unknown>;
  }
}

declare module 'kafkajs/src/protocol/requests/produce/index.js' {
  export interface ProduceArguments<Message> {
    readonly acks: number;
    readonly timeout: number;
    readonly topicData: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly messages: readonly Message[] }[];
    }[];
  }
  interface Protocol {
    readonly request: { encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }> };
    readonly response: object;
  }
  const Produce: { protocol: (of: { version: number }) => (content: ProduceArguments<object>) => Protocol };
  export default Produce;
}

declare module 'kafkajs/src/protocol/requests/fetch/index.js' {
  interface Protocol {
    readonly request: object;
    readonly response: { decode(body: Buffer): Promise<object>; parse(decoded: object): Promise<object> };
  }
  const Fetch: { protocol: (of: { version: number }) => (content: object) => Protocol };
  export default Fetch;
}

declare module 'kafkajs/src/cluster/brokerPool.js' {
  /** What a broker knows of the topics it was asked for. */
  export interface Metadata {
    readonly brokers: readonly object[];
    readonly topicMetadata: readonly { readonly topic: string }[];
  }
  export default class BrokerPool {
    constructor(options: { logger: { namespace(name: string): object } });
    seedBroker: object;
    /** The latest answer; null before the first. */
    metadata: Metadata | null;
    findConnectedBroker(): Promise<{ metadata(topics: readonly string[]): Promise<Metadata> }>;
    refreshMetadata(topics: readonly string[]): Promise<void>;
  }
}

declare module 'kafkajs/src/cluster/index.js' {
  import type Broker from 'kafkajs/src/broker/index.js';
  import type { RequestBroker } from '../queries/raw-request.js';
  export default class Cluster {
    constructor(options: object);
    findBroker(of: { nodeId: number }): Promise<RequestBroker>;
    isConnected(): boolean;
    findGroupCoordinatorMetadata(query: object): Promise<unknown>;
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    readonly rootLogger: object;
    readonly connectionPoolBuilder: { build(address: { host: string; port: number; rack: string }): Promise<object> };
    readonly brokerPool: {
      findConnectedBroker(): Promise<RequestBroker>;
      readonly seedBroker: Broker;
      createBroker(options: { connectionPool: object; logger: object }): Broker;
    };
  }
}

declare module 'kafkajs/src/retry/index.js' {
  export default function createRetry(options: { initialRetryTime: number; retries: number }): unknown;
}

declare module 'kafkajs/src/producer/sendMessages.js' {
  import type { ProducerBatch, RecordMetadata } from 'kafkajs';
  /** @returns how every producer sends, over what it stands on */
  export default function sendMessages(parts: {
    logger: object;
    cluster: object;
    partitioner: unknown;
    eosManager: object;
    retrier: unknown;
  }): (batch: ProducerBatch) => Promise<RecordMetadata[]>;
}

declare module 'kafkajs/src/consumer/consumerGroup.js' {
  import type { GroupBroker, KafkaGroup } from './group-hooks.js';

  interface AssignedTopic {
    readonly topic: string;
    readonly partitions: number[];
  }
  interface FetchedByKafkajs {
    readonly topic: string;
    readonly partition: number;
    readonly fetchedOffset: string;
    readonly rawMessages?: unknown;
  }
  export default class ConsumerGroup implements KafkaGroup {
    groupId: string;
    memberId: string | null;
    leaderId: string | null;
    generationId: number | null;
    maxWaitTime: number;
    /** Of the last heartbeat, by the wall clock, ms. */
    lastRequest: number;
    assigners: readonly object[];
    coordinator: GroupBroker;
    cluster: KafkaGroup['cluster'];
    offsetManager: {
      resolveOffsets(): Promise<void>;
      seek(position: { topic: string; partition: number; offset: string }): Promise<void>;
      /** By topic and partition. kafkajs reads no partition that has none here. */
      committedOffsets(): Record<string, Record<number, string>>;
    };
    joinAndSync(): Promise<void>;
    fetch(nodeId: number): Promise<FetchedByKafkajs[]>;
    /** Called with all assigned topics before each fetch; what it returns becomes the request. */
    filterPartitionsByNode(nodeId: number, topics: AssignedTopic[]): AssignedTopic[];
    getNodeIds(): string[];
    recoverFromFetch(error: Error & { type?: unknown }): Promise<void>;
    recoverFromOffsetOutOfRange(error: { topic: string; partition: number }): Promise<void>;
    assigned(): { topic: string; partitions: number[] }[];
    seek(position: { topic: string; partition: number; offset: string }): void;
    pause(topicPartitions: { topic: string; partitions: number[] }[]): void;
    resume(topicPartitions: { topic: string; partitions: number[] }[]): void;
    heartbeat(options: { interval: number }): Promise<void>;
    commitOffsets(offsets: { topics: readonly unknown[] }): Promise<void>;
  }
}

declare module 'kafkajs/src/protocol/decoder.js' {
  export default class Decoder {
    constructor(bytes: Buffer);
    offset: number;
    readInt16(): number;
    readInt32(): number;
    readString(): string;
    readBytes(length: number): Buffer;
    readBoolean(): boolean;
    readUVarIntString(): string | null;
    readUVarIntArray<Element>(read: (decoder: Decoder) => Element): Element[] | null;
    readTaggedFields(): void;
  }
}

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    writeUVarInt(value: number): Encoder;
    writeUVarIntString(value: string | null): Encoder;
    writeBuffer(bytes: Buffer): Encoder;
    writeBoolean(value: boolean): Encoder;
  }
}

declare module 'kafkajs/src/protocol/recordBatch/v0/decoder.js' {
  import type { KafkaMessage } from 'kafkajs';
  import type Decoder from 'kafkajs/src/protocol/decoder.js';
  export default function decodeBatch(decoder: Decoder): Promise<{ records: KafkaMessage[] }>;
}

declare module 'kafkajs/src/protocol/recordBatch/crc32C/index.js' {
  export default function crc32C(bytes: Buffer): number;
}

declare module 'kafkajs/src/protocol/error.js' {
  const errors: { createErrorFromCode(code: number): Error };
  export default errors;
}

declare module 'kafkajs/src/protocol/requests/metadata/index.js' {
  export interface DescribedTopics {
    readonly topicMetadata: readonly {
      readonly topicErrorCode: number;
      readonly topic: string;
      readonly partitionMetadata: readonly { readonly partitionErrorCode: number; readonly leader: number }[];
    }[];
  }
  interface Made {
    readonly request: object;
    readonly response: { parse(answer: DescribedTopics): Promise<DescribedTopics> };
  }
  const Metadata: { protocol: (of: { version: number }) => (content: object) => Made };
  export default Metadata;
}

declare module 'kafkajs/src/protocol/requests/index.js' {
  import type { RequestDefinition } from '../connection/broker-connections.js';

  const protocol: {
    readonly requests: Readonly<Record<'Fetch' | 'ListOffsets' | 'Metadata' | 'OffsetFetch', RequestDefinition>>;
  };
  export default protocol;
}

declare module 'kafkajs/src/protocol/requests/apiKeys.js' {
  const apiKeys: Readonly<Record<'Fetch' | 'ListOffsets' | 'Metadata' | 'OffsetFetch', number>>;
  export default apiKeys;
}
