import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';

const TYPE_A = 1;
const TYPE_AAAA = 28;

/** DNS response codes (RFC 1035, 4.1.1). */
export const SERVFAIL = 2;
export const NXDOMAIN = 3;

/** The answer for a name. */
export interface Zone {
  readonly a?: readonly string[];
  /** Last bytes n of addresses 2606::n. */
  readonly aaaa?: readonly number[];
  readonly ttlS?: number;
  readonly code?: number;
  readonly afterMs?: number;
}

/** A DNS server of a few names. It does not answer for other names, or denies them after `denyTheRest`. */
export class StubDns {
  /** Queries in order: `name A` or `name AAAA`. */
  readonly questions: string[] = [];
  private isClosed = false;
  private readonly unanswered: (() => void)[] = [];
  private readonly socket: Socket = createSocket('udp4');

  private constructor(readonly zones: Record<string, Zone>) {
    this.socket.on('message', (query, sender) => this.take(query, sender));
  }

  static async start(zones: Record<string, Zone>): Promise<StubDns> {
    const dns = new StubDns(zones);
    await new Promise<void>((resolve) => dns.socket.bind(0, '127.0.0.1', resolve));
    return dns;
  }

  /** `ip:port` for a resolver. */
  get address(): string {
    return `127.0.0.1:${this.socket.address().port}`;
  }

  denyTheRest(): void {
    for (const deny of this.unanswered.splice(0)) deny();
  }

  close(): void {
    this.isClosed = true;
    this.socket.close();
  }

  private take(query: Buffer, { port, address }: RemoteInfo): void {
    const { name, type, end } = question(query);
    this.questions.push(`${name} ${type === TYPE_A ? 'A' : 'AAAA'}`);
    const reply = (zone: Zone) => {
      if (!this.isClosed) this.socket.send(answer(query, end, type, zone), port, address);
    };
    const zone = this.zones[name];
    if (zone === undefined) this.unanswered.push(() => reply({ code: NXDOMAIN }));
    else if (zone.afterMs === undefined) reply(zone);
    else setTimeout(() => reply(zone), zone.afterMs);
  }
}

function question(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('ascii', at + 1, at + 1 + length).toLowerCase());
    at += 1 + length;
  }
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function answer(query: Buffer, end: number, type: number, { a = [], aaaa = [], ttlS = 5, code = 0 }: Zone): Buffer {
  const addresses = type === TYPE_A ? a.map((ip) => Buffer.from(ip.split('.').map(Number))) : [];
  if (type === TYPE_AAAA) addresses.push(...aaaa.map((last) => Buffer.from([0x26, 6, ...Array(13).fill(0), last])));
  const records = addresses.map((bytes) => {
    const head = Buffer.alloc(12);
    head.writeUInt16BE(0xc00c, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt32BE(ttlS, 6);
    head.writeUInt16BE(bytes.length, 10);
    return Buffer.concat([head, bytes]);
  });
  const reply = Buffer.from(query.subarray(0, end));
  reply.writeUInt16BE(0x8180 | code, 2);
  reply.writeUInt16BE(records.length, 6);
  reply.writeUInt32BE(0, 8);
  return Buffer.concat([reply, ...records]);
}
