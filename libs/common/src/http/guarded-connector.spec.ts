import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RawServer, response } from '../../../../test/support/raw-server.js';
import { OneUrlSender } from '../../../../test/support/sender.js';
import { addressPolicy } from '../security/address-policy.js';
import { HostResolver } from './host-resolver.js';
import type { PostRequest, SenderOptions } from './sender.js';

const PRODUCTION = addressPolicy({ allowHttp: false, allowedAddresses: [] });
/** Plain http, so that a request that got through would be seen; the addresses are production's. */
const PUBLIC_ONLY = addressPolicy({ allowHttp: true, allowedAddresses: [] });
const LOOPBACK = addressPolicy({ allowHttp: true, allowedAddresses: ['127.0.0.0/8'] });
const REQUEST: PostRequest = { headers: [], body: Buffer.from('{}'), timeoutMs: 5_000 };

const BLOCKED = {
  result: { kind: 'failure', error: 'blocked_address' },
  statusCode: undefined,
  errorDetail: undefined,
};

let folder: string;
let server: RawServer;
const clients: OneUrlSender[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'posthorn-hosts-'));
  server = await RawServer.start((socket) => socket.write(response(200)));
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

function clientOf(url: string, changes: Partial<SenderOptions>): OneUrlSender {
  const client = new OneUrlSender(url, { maxConnections: 1, policy: PUBLIC_ONLY, ...changes });
  clients.push(client);
  return client;
}

/** A resolver that knows one name. */
async function resolverOf(lines: string): Promise<HostResolver> {
  const hostsFile = join(folder, 'hosts');
  await writeFile(hostsFile, lines);
  return new HostResolver({ hostsFile, servers: ['127.0.0.1:9'] });
}

it.each([
  ['https://127.0.0.1/', 'blocked_address'],
  ['https://[::1]/', 'blocked_address'],
  ['https://localhost/', 'blocked_address'],
  ['https://169.254.169.254/', 'blocked_address'],
  ['http://hooks.acme.io/', 'invalid_url'],
  ['nonsense', 'invalid_url'],
])('given the URL %s in production, then every request fails as %s', async (url, error) => {
  const sent = await clientOf(url, { policy: PRODUCTION }).post(REQUEST);
  expect(sent).toMatchObject({ result: { kind: 'failure', error }, errorDetail: undefined });
});

it.each([
  '127.0.0.1',
  '127.9.9.9',
  '0.0.0.0',
  '::1',
  '::ffff:127.0.0.1',
  '64:ff9b::7f00:1',
  '169.254.169.254',
  'fd00::5',
])('given a public name that resolves to %s, then nobody is called', async (address) => {
  const callsBefore = server.sockets.length;
  const resolver = await resolverOf(`${address} hooks.evil.io`);
  const sent = await clientOf(`http://hooks.evil.io:${server.port}/`, { resolver }).post(REQUEST);
  expect(sent).toMatchObject(BLOCKED);
  expect(server.sockets).toHaveLength(callsBefore);
});

it('given a name with an allowed and a refused address, then only the allowed one is dialled', async () => {
  const resolver = await resolverOf('10.0.0.5 hooks.evil.io\n127.0.0.1 hooks.evil.io');
  const sent = await clientOf(`http://hooks.evil.io:${server.port}/`, { resolver, policy: LOOPBACK }).post(REQUEST);
  expect(sent.statusCode).toBe(200);
  expect(server.requests.at(-1)).toContain(`host: hooks.evil.io:${server.port}`);
});

it('given a name that changes its address between two connections, then the second is refused', async () => {
  let now = 0;
  const hostsFile = join(folder, 'rebinding');
  const resolver = new HostResolver({ hostsFile, now: () => now });
  const url = `http://hooks.evil.io:${server.port}/`;
  await writeFile(hostsFile, '127.0.0.1 hooks.evil.io');
  expect((await clientOf(url, { resolver, policy: LOOPBACK }).post(REQUEST)).statusCode).toBe(200);
  await writeFile(hostsFile, '10.0.0.1 hooks.evil.io');
  now += 60_000;
  expect(await clientOf(url, { resolver, policy: LOOPBACK }).post(REQUEST)).toMatchObject(BLOCKED);
});
