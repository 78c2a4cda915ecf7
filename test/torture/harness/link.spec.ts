import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../../support/until.js';
import { kafkaDialect } from './kafka-dialect.js';
import { type Caller, Link } from './link.js';
import { portsOf } from './socket-owner.js';

const PRODUCE = 0;
const HEARTBEAT = 12;

/** A server that answers every frame with the request's number, and records the frames. */
class FrameServer {
  readonly got: number[] = [];
  private constructor(readonly server: Server) {}

  static async start(): Promise<FrameServer> {
    const frames = new FrameServer(createServer());
    frames.server.on('connection', (socket: Socket) => {
      const dialect = kafkaDialect();
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        for (const { correlation = 0 } of dialect.requests(chunk)) {
          frames.got.push(correlation);
          socket.write(answer(correlation));
        }
      });
    });
    await new Promise<void>((resolve) => frames.server.listen(0, '127.0.0.1', resolve));
    return frames;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }
}

/** One connection of a client with a name. */
class FrameClient {
  readonly answers: number[] = [];
  isClosed = false;

  private constructor(
    private readonly socket: Socket,
    private readonly name: string,
  ) {
    const dialect = kafkaDialect();
    socket.on('data', (chunk: Buffer) => {
      for (const { correlation } of dialect.answers(chunk)) this.answers.push(correlation ?? -1);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  static async connect(port: number, name: string): Promise<FrameClient> {
    const socket = connect(port, '127.0.0.1');
    const client = new FrameClient(socket, name);
    // A refused connection is closed, too.
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
    return client;
  }

  ask(number: number, apiKey: number, body: Buffer = Buffer.alloc(0)): void {
    const name = Buffer.from(this.name);
    const head: Buffer = Buffer.alloc(14);
    head.writeInt32BE(10 + name.length + body.length, 0);
    head.writeInt16BE(apiKey, 4);
    head.writeInt32BE(number, 8);
    head.writeInt16BE(name.length, 12);
    this.socket.write(Buffer.concat([head, name, body]));
  }

  answered(number: number): Promise<void> {
    return until(`request ${number} is answered`, () => this.answers.includes(number), 2_000);
  }

  get port(): number | undefined {
    return this.socket.localPort;
  }

  close(): void {
    this.socket.destroy();
  }
}

function answer(number: number): Buffer {
  const frame = Buffer.alloc(8);
  frame.writeInt32BE(4, 0);
  frame.writeInt32BE(number, 4);
  return frame;
}

/** Version 7: no transaction, all replicas, one topic with one partition. */
function produceTo(topic: string): Buffer {
  const name = Buffer.from(topic);
  const head: Buffer = Buffer.alloc(14);
  head.writeInt16BE(-1, 0);
  head.writeInt16BE(-1, 2);
  head.writeInt32BE(1, 8);
  head.writeInt16BE(name.length, 12);
  const records = Buffer.from('some records');
  const partition = Buffer.alloc(12);
  partition.writeInt32BE(1, 0);
  partition.writeInt32BE(records.length, 8);
  return Buffer.concat([head, name, partition, records]);
}

describe('a link', () => {
  let server: FrameServer;
  let link: Link;
  const clients: FrameClient[] = [];

  beforeEach(async () => {
    server = await FrameServer.start();
    link = await Link.to(server.port, kafkaDialect);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await link.close();
    server.server.close();
  });

  async function client(name: string): Promise<FrameClient> {
    const connected = await FrameClient.connect(link.port, name);
    clients.push(connected);
    return connected;
  }

  it('given no fault, then requests and answers pass', async () => {
    const one = await client('one');
    one.ask(1, HEARTBEAT);
    await one.answered(1);
  });

  it.each([
    { moment: 'before', got: [] },
    { moment: 'sent', got: [7] },
    { moment: 'answered', got: [7] },
  ] as const)('given a trap $moment, then the server got $got, and the client no answer', async ({ moment, got }) => {
    const sprung: (string | undefined)[] = [];
    const trap = { moment, kind: /^Produce$/, topic: /^attempts$/, onSprung: ({ name }: Caller) => sprung.push(name) };
    const armed = link.arm(trap);
    const one = await client('one');
    one.ask(6, PRODUCE, produceTo('deliveries'));
    await one.answered(6);

    one.ask(7, PRODUCE, produceTo('attempts'));
    await until('the connection has ended', () => one.isClosed, 2_000);

    expect({ sprung, fired: armed.fired, answers: one.answers }).toEqual({ sprung: ['one'], fired: 1, answers: [6] });
    await until('the server got what was sent', () => server.got.length === 1 + got.length, 2_000);
    expect(server.got).toEqual([6, ...got]);
  });

  it('given one client frozen, then only its messages wait, and none is lost', async () => {
    const [one, two] = [await client('one'), await client('two')];
    one.ask(1, HEARTBEAT);
    await one.answered(1);
    const lift = link.impose({ kind: 'freeze', client: /^one$/ });
    one.ask(2, HEARTBEAT);
    two.ask(3, HEARTBEAT);
    await two.answered(3);
    expect(one.answers).toEqual([1]);

    lift();
    await one.answered(2);
  });

  it('given a request whose answer is dropped, then the trap names its client', async () => {
    const [one, two] = [await client('one'), await client('two')];
    two.ask(1, HEARTBEAT);
    await two.answered(1);
    const lift = link.impose({ kind: 'freeze', client: /^one$/ });
    one.ask(2, HEARTBEAT);
    await until('a request waits', () => link.unanswered.length > 0, 2_000);
    expect(link.unanswered).toEqual([one.port]);
    expect(portsOf(process.pid)).toContain(one.port);

    lift();
    await one.answered(2);
    expect(link.unanswered).toEqual([]);
  });

  it('given a delay, then answers are late, in order', async () => {
    link.impose({ kind: 'delay', ms: 50 });
    const one = await client('one');
    const startedAt = Date.now();
    one.ask(1, HEARTBEAT);
    one.ask(2, HEARTBEAT);
    await one.answered(2);
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(95);
    expect(one.answers).toEqual([1, 2]);
  });

  it('given a cut, then connections are closed and refused until `heal`', async () => {
    const one = await client('one');
    one.ask(1, HEARTBEAT);
    await one.answered(1);
    link.impose({ kind: 'cut' });
    await until('the connection has ended', () => one.isClosed, 2_000);
    const two = await client('two');
    await until('a new one is refused', () => two.isClosed, 2_000);

    link.heal();
    const three = await client('three');
    three.ask(2, HEARTBEAT);
    await three.answered(2);
  });
});
