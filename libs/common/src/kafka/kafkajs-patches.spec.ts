import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createKafka } from './client.js';
import type { KafkaSettings } from './settings.js';

describe('a broker that accepts a connection and says nothing yet', () => {
  let server: Server;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    server = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('given a request while another one connects, then it waits for the connection, too', async () => {
    const { port } = server.address() as AddressInfo;
    const settings = { brokers: [`127.0.0.1:${port}`], clientId: 'test' } as unknown as KafkaSettings;
    const admin = createKafka(settings).admin({ retry: { retries: 0 } });
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const connected = admin.connect().catch((error: Error) => error);
    const socket = await accepted;
    await new Promise((resolve) => socket.once('data', resolve));

    const asked = admin.fetchTopicMetadata().catch((error: Error) => error);
    setImmediate(() => socket.destroy());
    server.close();

    const errors = await Promise.all([connected, asked]);
    for (const error of errors) expect(String(error)).not.toContain('Broker not connected');
  });
});
