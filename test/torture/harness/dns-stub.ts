import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';

/**
 * `answer` resolves every name to 127.0.0.1; `late` does so with a delay; `silent` does not answer; `failing` answers
 * SERVFAIL.
 */
export type DnsBehaviour = 'answer' | 'late' | 'silent' | 'failing';

const HEADER_BYTES = 12;
const TYPE_A = 1;
const SERVFAIL = 2;
const LATE_MS = 1_500;
/** Short, so that apps repeat lookups during a fault. */
const TTL_S = 1;

/** A name server over UDP. */
export class DnsStub {
  /** Number of queries. */
  questions = 0;
  private behaviour: DnsBehaviour = 'answer';

  private constructor(private readonly socket: Socket) {
    socket.on('message', (question, from) => this.take(question, from));
  }

  static async start(): Promise<DnsStub> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new DnsStub(socket);
  }

  /** `ip:port` */
  get address(): string {
    const { address, port } = this.socket.address();
    return `${address}:${port}`;
  }

  behave(behaviour: DnsBehaviour): void {
    this.behaviour = behaviour;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.socket.close(() => resolve()));
  }

  private take(question: Buffer, { address, port }: RemoteInfo): void {
    this.questions++;
    if (this.behaviour === 'silent') return;
    const answer = answerTo(question, this.behaviour === 'failing');
    const send = () => this.socket.send(answer, port, address);
    if (this.behaviour === 'late') setTimeout(send, LATE_MS);
    else send();
  }
}

/** RFC 1035: repeats header and question, with one address for an IPv4 query. */
function answerTo(question: Buffer, isFailing: boolean): Buffer {
  const nameEnd = question.indexOf(0, HEADER_BYTES) + 1;
  const asked = question.subarray(0, nameEnd + 4);
  const header = Buffer.from(asked);
  const isAddress = question.readUInt16BE(nameEnd) === TYPE_A && !isFailing;
  header.writeUInt16BE(0x8180 | (isFailing ? SERVFAIL : 0), 2);
  header.writeUInt16BE(isAddress ? 1 : 0, 6);
  // Clears the counts of authority and additional records: the query may have EDNS options.
  header.writeUInt32BE(0, 8);
  if (!isAddress) return header;
  const record = Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, TTL_S, 0, 4, 127, 0, 0, 1]);
  return Buffer.concat([header, record]);
}
