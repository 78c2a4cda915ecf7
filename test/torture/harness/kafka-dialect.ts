import { type Answer, type Dialect, Frames, type Message } from './message.js';

const PRODUCE = 0;
/** Names of the requests that faults use; other requests have their number as name. */
const NAMES: Readonly<Record<number, string>> = {
  0: 'Produce',
  1: 'Fetch',
  8: 'OffsetCommit',
  9: 'OffsetFetch',
  11: 'JoinGroup',
  12: 'Heartbeat',
  13: 'LeaveGroup',
  14: 'SyncGroup',
};

/** Kafka's frames: a length, then for a request its API key, version, correlation id and client id. */
export function kafkaDialect(): Dialect {
  const requests = new Frames(lengthOf);
  const answers = new Frames(lengthOf);
  return {
    requests: (chunk) => requests.take(chunk).map(readRequest),
    answers: (chunk) => answers.take(chunk).map(readAnswer),
  };
}

function lengthOf(head: Buffer): number | undefined {
  return head.length < 4 ? undefined : 4 + head.readInt32BE(0);
}

function readRequest(bytes: Buffer): Message {
  const apiKey = bytes.readInt16BE(4);
  const client = readText(bytes, 12);
  return {
    bytes,
    kind: NAMES[apiKey] ?? `api ${apiKey}`,
    topics: apiKey === PRODUCE ? producedTopics(bytes, client.end) : [],
    correlation: bytes.readInt32BE(8),
    client: client.text,
  };
}

function readAnswer(bytes: Buffer): Answer {
  return { bytes, isEnd: true, correlation: bytes.readInt32BE(4) };
}

/** Versions 3 to 8: transactional id, acks, timeout, then by topic the batches of its partitions. */
function producedTopics(bytes: Buffer, start: number): string[] {
  let at = readText(bytes, start).end + 2 + 4;
  const topics: string[] = [];
  const count = bytes.readInt32BE(at);
  at += 4;
  for (let topic = 0; topic < count; topic++) {
    const name = readText(bytes, at);
    topics.push(name.text ?? '');
    const partitions = bytes.readInt32BE(name.end);
    at = name.end + 4;
    for (let partition = 0; partition < partitions; partition++) at += 8 + Math.max(0, bytes.readInt32BE(at + 4));
  }
  return topics;
}

/** A length-prefixed text; a negative length means null. */
function readText(bytes: Buffer, at: number): { text: string | undefined; end: number } {
  const length = bytes.readInt16BE(at);
  if (length < 0) return { text: undefined, end: at + 2 };
  return { text: bytes.toString('utf8', at + 2, at + 2 + length), end: at + 2 + length };
}
