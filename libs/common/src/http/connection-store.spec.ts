import { type RawServer, response } from '../../../../test/support/raw-server.js';
import { postRequest, useSender } from '../../../../test/support/sender.js';
import { until } from '../../../../test/support/until.js';
import { addressPolicy } from '../security/address-policy.js';
import { Sender } from './sender.js';

const scene = useSender();
const policy = addressPolicy({ allowHttp: true, allowedAddresses: ['127.0.0.0/8', '::1/128'] });
const senders: Sender[] = [];

afterEach(async () => {
  await Promise.all(senders.splice(0).map((sender) => sender.close()));
});

function senderOf(maxConnections: number): Sender {
  const sender = new Sender({ policy, maxConnections });
  senders.push(sender);
  return sender;
}

/** One of many origins at the same server. */
const originAt = (server: RawServer, index: number) => `http://e${index}.localhost:${server.port}/`;

const post = (sender: Sender, server: RawServer, index: number) => sender.post(originAt(server, index), postRequest());

describe('ConnectionStore', () => {
  it('given more origins than connections, then each request is answered, and the oldest idle connections make room', async () => {
    const server = await scene.server((socket) => socket.write(response(200)));
    const sender = senderOf(10);
    for (let round = 0; round < 3; round++) {
      const sent = await Promise.all(Array.from({ length: 50 }, (_, index) => post(sender, server, index)));
      expect(sent.map(({ statusCode }) => statusCode)).toEqual(Array(50).fill(200));
      await until('all are idle', () => sender.stats.busy === 0);
      expect(sender.stats.idle).toBeLessThanOrEqual(10);
    }
    await until('no more are open at the server', () => server.openSockets <= 10);
    expect(sender.evictions).toBe(140);
  });

  it('given origins in use by turns, then the one that was idle for the longest time loses its connection', async () => {
    const server = await scene.server((socket) => socket.write(response(200)));
    const sender = senderOf(3);
    for (const index of [0, 1, 2, 0, 3, 0, 2]) await post(sender, server, index);
    // Origin 1 made room for origin 3; all others were found again.
    expect(server.sockets).toHaveLength(4);
    await post(sender, server, 1);
    expect(server.sockets).toHaveLength(5);
  });

  it('given that all connections are busy, then the requests of other origins wait in their order', async () => {
    const held: (() => void)[] = [];
    const server = await scene.server((socket) => held.push(() => socket.write(response(200))));
    const sender = senderOf(2);
    const order: number[] = [];
    const sending = [0, 1, 2, 3, 4, 5].map((index) => post(sender, server, index).then(() => order.push(index)));
    await until('two are there', () => held.length === 2);
    expect(sender.stats).toEqual({ busy: 2, idle: 0, waiting: 4 });
    for (let answered = 0; answered < 6; answered++) {
      await until('the next is there', () => held.length > answered);
      held[answered]?.();
      await sending[answered];
    }
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    expect(server.openSockets).toBeLessThanOrEqual(2);
  });

  it('given requests that reach their deadline while they wait, then they do not pile up', async () => {
    const server = await scene.server('');
    const sender = senderOf(1);
    const sending = post(sender, server, 0);
    await until('the connection is busy', () => server.requests.length === 1);
    for (let round = 0; round < 10; round++) {
      const late = Array.from({ length: 200 }, (_, index) =>
        sender.post(originAt(server, index), postRequest({ timeoutMs: 20 })),
      );
      await Promise.all(late);
      expect(sender.stats.waiting).toBeLessThanOrEqual(512);
    }
    for (const socket of server.sockets) socket.destroy();
    await sending;
    await until('none waits', () => sender.stats.waiting === 0);
  });

  it('given endpoints without requests, then nothing of them is kept', async () => {
    const server = await scene.server(response(200));
    const sender = senderOf(100);
    await Promise.all(Array.from({ length: 50 }, (_, index) => post(sender, server, index)));
    await until('all are idle', () => sender.stats.idle === 50);
    await until('all are closed', () => sender.stats.idle === 0, 10_000);
    await until('no connection is left at the server', () => server.openSockets === 0);
  });

  it('given servers that close idle connections, refuse them or break off, then no connection is lost count of', async () => {
    const closing = await scene.server((socket) => socket.end(response(200)));
    const broken = await scene.server((socket) => socket.destroy());
    const absent = await scene.server('');
    const sender = senderOf(4);
    const origins = [closing, broken, absent].flatMap((server) => [0, 1, 2, 3].map((index) => originAt(server, index)));
    await absent.close();
    const attempts = [...origins, ...origins, ...origins].map((url) => sender.post(url, postRequest()));
    const codes = (await Promise.all(attempts)).map(({ statusCode }) => statusCode);
    expect(codes.filter((code) => code === 200)).toHaveLength(12);
    await until('none is busy', () => sender.stats.busy + sender.stats.waiting === 0);
    const server = await scene.server((socket) => socket.write(response(200)));
    await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((index) => post(sender, server, index)));
    await until('all are idle', () => sender.stats.idle === 4);
    expect(sender.stats).toEqual({ busy: 0, idle: 4, waiting: 0 });
  });

  it('given requests that HTTP does not allow, then they take no connection', async () => {
    const server = await scene.server((socket) => socket.write(response(200)));
    const sender = senderOf(1);
    for (let index = 0; index < 3; index++) {
      await sender.post(originAt(server, index), postRequest({ headers: ['x-own', 'a\r\nb: c'] }));
    }
    expect((await post(sender, server, 0)).statusCode).toBe(200);
  });

  it('given answers that never end, then a part of the connections holds them, and the oldest make room', async () => {
    const long = `HTTP/1.1 200 X\r\ncontent-length: 9999\r\n\r\n${'x'.repeat(5_000)}`;
    const server = await scene.server((socket) => socket.write(long));
    const sender = senderOf(16);
    for (let index = 0; index < 20; index++) expect((await post(sender, server, 0)).statusCode).toBe(200);
    await until('two are read on', () => server.openSockets === 2);
    expect(sender.stats.busy).toBeLessThanOrEqual(2);
  }, 15_000);

  it('given requests under way and waiting ones, then close waits for both', async () => {
    const held: (() => void)[] = [];
    const server = await scene.server((socket) => held.push(() => socket.write(response(200))));
    const sender = senderOf(1);
    const sending = [0, 1, 2].map((index) => post(sender, server, index));
    await until('the first is there', () => held.length === 1);
    let isClosed = false;
    const closing = sender.close().then(() => {
      isClosed = true;
    });
    for (let answered = 0; answered < 3; answered++) {
      await until('the next is there', () => held.length > answered);
      expect(isClosed).toBe(false);
      held[answered]?.();
    }
    expect((await Promise.all(sending)).map(({ statusCode }) => statusCode)).toEqual([200, 200, 200]);
    await closing;
    expect(sender.stats).toEqual({ busy: 0, idle: 0, waiting: 0 });
  });
});
