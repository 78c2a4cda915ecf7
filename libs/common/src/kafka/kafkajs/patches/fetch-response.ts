import { ByteReader } from '../wire/byte-reader.js';
import { type AbortedTransaction, type FetchedBounds, FetchedRecords } from '../wire/fetched-records.js';

/** The versions of Fetch whose responses are decoded here. Brokers before Kafka 0.11 know none of them. */
export const FIRST_FETCH_VERSION = 4;
export const LAST_FETCH_VERSION = 11;

const WITH_LOG_START = 5;
const WITH_SESSION = 7;
/** From here on the client waits when the broker throttles it; before, the broker does. */
const WITH_CLIENT_THROTTLE = 8;
const WITH_READ_REPLICA = 11;

/** A partition of a response, in the form kafkajs works with; `messages` are what it hands on. */
interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly preferredReadReplica: number;
  readonly messages: HandedOn;
}

export interface FetchResponse {
  readonly throttleTime: number;
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly sessionId: number;
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[];
}

/** To kafkajs's Batch a list without messages, through which records get past it as they came. */
export class HandedOn {
  readonly length = 0;

  constructor(readonly records: FetchedRecords) {}

  filter(): [] {
    return [];
  }
}

/**
 * The body of a Fetch response. Its record sets are left as they are: kafkajs's decoder takes a second for 2000 headers,
 * drops filtered records without a trace, and ends a consumer at an unknown codec.
 *
 * @param version 4 to 11
 * @throws MalformedBytesError when the body is cut short
 */
export function decodeFetchResponse(body: Buffer, version: number): FetchResponse {
  const reader = new ByteReader(body);
  const throttleTime = reader.int32();
  const errorCode = version >= WITH_SESSION ? reader.int16() : 0;
  const sessionId = version >= WITH_SESSION ? reader.int32() : 0;
  const responses = listOf(reader, () => ({
    topicName: reader.string(),
    partitions: listOf(reader, () => readPartition(reader, version)),
  }));
  const isOurs = version >= WITH_CLIENT_THROTTLE;
  return {
    throttleTime: isOurs ? 0 : throttleTime,
    clientSideThrottleTime: isOurs ? throttleTime : 0,
    errorCode,
    sessionId,
    responses,
  };
}

function readPartition(reader: ByteReader, version: number): FetchedPartition {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64();
  const lastStable = reader.int64();
  const logStart = version >= WITH_LOG_START ? reader.int64() : -1;
  const aborted = listOf(reader, (): AbortedTransaction => {
    const at = reader.skip(8);
    return { producerId: reader.bytes.readBigInt64BE(at), firstOffset: reader.int64() };
  });
  const preferredReadReplica = version >= WITH_READ_REPLICA ? reader.int32() : -1;
  const bytes = reader.slice(Math.max(0, reader.int32()));
  const bounds: FetchedBounds = { highWatermark, lastStable, logStart };
  return {
    partition,
    errorCode,
    highWatermark: String(highWatermark),
    preferredReadReplica,
    messages: new HandedOn(new FetchedRecords(bytes, aborted, bounds)),
  };
}

/** A length of -1 stands for a list that is not there. */
function listOf<Item>(reader: ByteReader, read: () => Item): Item[] {
  const items: Item[] = [];
  for (let left = reader.int32(); left > 0; left--) items.push(read());
  return items;
}
