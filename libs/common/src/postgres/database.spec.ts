import { createServer, type Socket } from 'node:net';
import { Database } from './database.js';

/** "Authenticated", and "ready for a query". */
const GREETING = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]);

describe('Database.close', () => {
  it('given a server that lets in and never answers, then it ends in time', async () => {
    const asked = Promise.withResolvers<Socket>();
    const server = createServer((socket) => {
      socket.once('data', () => {
        socket.write(GREETING);
        socket.once('data', () => asked.resolve(socket));
      });
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const url = `postgres://somebody:secret@127.0.0.1:${port}/posthorn`;
    const database = new Database({ url, poolSize: 1, applicationName: 'test', statementTimeoutMs: 1_000 });
    const answer = database.query('SELECT 1').catch(() => 'none');
    const socket = await asked.promise;

    const began = performance.now();
    await database.close(100);

    expect(performance.now() - began).toBeLessThan(3_000);
    socket.destroy();
    expect(await answer).toBe('none');
    server.close();
  });
});
