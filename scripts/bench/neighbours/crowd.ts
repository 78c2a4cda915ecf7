import { createServer } from 'node:http';
import { watchLoopLag } from '../loop-lag.ts';

/*
 * The crowd: the neighbours' endpoints, in a process of their own. /after/<ms>/<n> answers after a time, /hang/<n> never.
 * The reply to any message is a CrowdReport.
 */

let requests = 0;
let answered = 0;
const lag = watchLoopLag();

const server = createServer((request, response) => {
  requests++;
  const [, behaviour, ms] = (request.url ?? '').split('/');
  const answer = () => {
    answered++;
    response.writeHead(204).end();
  };
  request.resume().on('end', () => {
    if (behaviour === 'hang') return;
    if (Number(ms) > 0) setTimeout(answer, Number(ms));
    else answer();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', 4_096, () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.({ listening: address.port });
});

process.on('message', () => {
  process.send?.({ requests, answered, lag: lag() });
  requests = 0;
  answered = 0;
});
process.on('disconnect', () => process.exit());
