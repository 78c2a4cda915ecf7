import { addressPolicy } from '#common/security/address-policy.js';
import { response } from '../../../../test/support/raw-server.js';
import { postRequest, useSender } from '../../../../test/support/sender.js';
import { until } from '../../../../test/support/until.js';
import { EndpointClients } from './endpoint-clients.js';

const scene = useSender();
const policy = addressPolicy({ allowHttp: true, allowedAddresses: ['127.0.0.0/8'] });
let clients: EndpointClients;

beforeEach(() => {
  clients = new EndpointClients(policy, 20);
});
afterEach(() => clients.close());

it('S17: given endpoints that nobody sends to any more, then nothing of them is kept', async () => {
  const server = await scene.server(response(200));
  const posts = Array.from({ length: 50 }, (_, index) =>
    clients.of({ id: `ep_${index}`, url: server.url, max_in_flight: 1 }).post(postRequest()),
  );
  expect(clients.size).toBe(50);
  expect((await Promise.all(posts)).map(({ statusCode }) => statusCode)).toEqual(Array(50).fill(200));
  await until('all are dropped', () => clients.size === 0);
  // The server hears of it a moment later.
  await until('no connection is left', () => server.openSockets === 0);
});

it('given requests under way and kept connections, then their endpoints keep their pools', async () => {
  const held: (() => void)[] = [];
  const server = await scene.server((socket, index) => {
    if (index === 0) held.push(() => socket.write(response(200)));
    else socket.write(response(200));
  });
  const slow = clients.of({ id: 'ep_slow', url: server.url, max_in_flight: 1 });
  const sending = slow.post(postRequest());
  await until('the request is there', () => held.length === 1);
  await until('some rounds went by', async () => {
    await clients.of({ id: 'ep_quick', url: server.url, max_in_flight: 1 }).post(postRequest());
    return server.requests.length > 10;
  });
  expect(clients.of({ id: 'ep_slow', url: server.url, max_in_flight: 1 })).toBe(slow);
  expect(server.sockets).toHaveLength(2);
  held[0]?.();
  expect((await sending).statusCode).toBe(200);
});
