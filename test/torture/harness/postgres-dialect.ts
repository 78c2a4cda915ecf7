import { type Answer, type Dialect, Frames, type Message } from './message.js';

/** ReadyForQuery: the server has answered all requests. */
const READY = 'Z'.charCodeAt(0);
const SIMPLE_QUERY = 'Q'.charCodeAt(0);
const PARSE = 'P'.charCodeAt(0);
const BIND = 'B'.charCodeAt(0);

/**
 * PostgreSQL's messages: type, length, content. Only the first message, which names the application, has no type. The
 * kind of a request is the first words of a simple query, or the name of a prepared statement.
 */
export function postgresDialect(): Dialect {
  let isStarted = false;
  const requests = new Frames((head) => {
    if (isStarted) return typedLength(head);
    return head.length < 4 ? undefined : head.readInt32BE(0);
  });
  const answers = new Frames(typedLength);
  const read = (bytes: Buffer): Message => {
    const isStartup = !isStarted;
    isStarted = true;
    return {
      bytes,
      kind: isStartup ? 'startup' : kindOf(bytes),
      topics: [],
      correlation: undefined,
      client: isStartup ? applicationName(bytes) : undefined,
    };
  };
  return {
    requests: (chunk) => requests.take(chunk).map(read),
    answers: (chunk) => answers.take(chunk).map(readAnswer),
  };
}

function typedLength(head: Buffer): number | undefined {
  return head.length < 5 ? undefined : 1 + head.readInt32BE(1);
}

function readAnswer(bytes: Buffer): Answer {
  return { bytes, isEnd: bytes[0] === READY, correlation: undefined };
}

function kindOf(bytes: Buffer): string {
  if (bytes[0] === SIMPLE_QUERY) return textAt(bytes, 5).text;
  // Parse is followed by Bind, and only Bind precedes the execution.
  if (bytes[0] === BIND) return textAt(bytes, textAt(bytes, 5).end).text || 'unnamed statement';
  return bytes[0] === PARSE ? 'parse' : 'protocol';
}

/** The startup message has pairs of texts, after length and protocol version. */
function applicationName(bytes: Buffer): string | undefined {
  const texts = bytes.toString('utf8', 8).split('\0');
  const at = texts.indexOf('application_name');
  return at < 0 ? undefined : texts[at + 1];
}

function textAt(bytes: Buffer, at: number): { text: string; end: number } {
  const end = bytes.indexOf(0, at);
  return { text: bytes.toString('utf8', at, end), end: end + 1 };
}
