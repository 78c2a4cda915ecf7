import { createServer } from 'node:http';

/*
 * The endpoints of the isolation benchmark, in a process of their own: /ok/<n> answers at once, /slow/<n> after 5 s,
 * /hang/<n> never. The message `report` returns the arrivals at healthy endpoints since the last report.
 */

const SLOW_MS = 5_000;

/** ms from publishing to arrival. */
let latencies: number[] = [];

const server = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  request.on('end', () => {
    const [, behaviour, number] = (request.url ?? '').split('/');
    if (behaviour === 'hang') return;
    if (behaviour === 'slow') {
      setTimeout(() => response.writeHead(204).end(), SLOW_MS);
      return;
    }
    if (Number(number) >= 3) latencies.push(Date.now() - JSON.parse(text).data.at);
    response.writeHead(204).end();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.({ listening: address.port });
});

process.on('message', () => {
  process.send?.({ latencies });
  latencies = [];
});
process.on('disconnect', () => process.exit());
