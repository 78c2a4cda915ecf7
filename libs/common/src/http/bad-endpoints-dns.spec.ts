import { type RawServer, response } from '../../../../test/support/raw-server.js';
import { type OneUrlSender, postRequest, useSender } from '../../../../test/support/sender.js';
import { NXDOMAIN, SERVFAIL, StubDns } from '../../../../test/support/stub-dns.js';
import { addressPolicy } from '../security/address-policy.js';
import { HostResolver } from './host-resolver.js';

/* Bad endpoints, continued: S18, names that do not resolve, and whose fault that is. */

const scene = useSender();
/** Milliseconds the resolver believes to have passed, beyond the real ones. */
let later = 0;
let dns: StubDns;
let server: RawServer;
let resolver: HostResolver;

beforeEach(async () => {
  later = 0;
  dns = await StubDns.start({
    '': {},
    'good.acme.io': { a: ['127.0.0.1'] },
    'slow.acme.io': { a: ['127.0.0.1'], afterMs: 500 },
    'many.acme.io': { a: Array(500).fill('127.0.0.1') },
    'empty.acme.io': {},
    'unknown.acme.io': { code: NXDOMAIN },
    'failing.acme.io': { code: SERVFAIL },
  });
  server = await scene.server(response(200));
  resolver = resolverAt(dns.address);
});
afterEach(() => dns.close());

const resolverAt = (address: string) =>
  new HostResolver({ servers: [address], hostsFile: '/nonexistent', now: () => performance.now() + later });

const client = (name: string, asks = resolver): OneUrlSender =>
  scene.client(`http://${name}:${server.port}/`, { resolver: asks });

it.each([
  { name: 'unknown.acme.io', detail: 'enotfound' },
  { name: 'empty.acme.io', detail: 'enodata' },
  { name: 'failing.acme.io', detail: 'eservfail' },
])('S18: given $name, then it is a DNS error $detail of the endpoint, at once', async ({ name, detail }) => {
  const sent = await client(name).post(postRequest());
  expect(sent).toMatchObject({
    result: { kind: 'failure', error: 'dns_error' },
    errorDetail: detail,
    isOurFault: false,
  });
  expect(sent.durationMs).toBeLessThan(1_500);
  expect(server.sockets).toHaveLength(0);
});

it.each([{ code: NXDOMAIN }, { code: SERVFAIL }])(
  'S18: given $code and a second later an address, then it delivers',
  async (zone) => {
    dns.zones['new.acme.io'] = zone;
    const sender = client('new.acme.io');
    expect((await sender.post(postRequest())).result).toEqual({ kind: 'failure', error: 'dns_error' });
    dns.zones['new.acme.io'] = { a: ['127.0.0.1'] };
    later += 1_001;
    expect((await sender.post(postRequest())).statusCode).toBe(200);
  },
);

it('S18: given 500 addresses, then it delivers', async () => {
  expect((await client('many.acme.io').post(postRequest())).statusCode).toBe(200);
});

it('S18: given slow answers, then they count towards the deadline, and nobody else waits', async () => {
  const slow = client('slow.acme.io').post(postRequest());
  const neighbour = await client('good.acme.io').post(postRequest());
  expect(neighbour.statusCode).toBe(200);
  expect(neighbour.durationMs).toBeLessThan(400);
  expect((await slow).durationMs).toBeGreaterThanOrEqual(490);
  later += 60_001;
  const late = await client('slow.acme.io').post(postRequest({ timeoutMs: 200 }));
  expect(late).toMatchObject({
    result: { kind: 'failure', error: 'timeout' },
    errorDetail: 'connect',
    isOurFault: false,
  });
});

it('S18: given a name that turns to loopback, then the server there sees nothing', async () => {
  const policy = addressPolicy({ allowHttp: true, allowedAddresses: ['127.0.0.2/32'] });
  const outside = await scene.server((socket) => socket.end(response(200)), { host: '127.0.0.2', port: server.port });
  dns.zones['rebind.acme.io'] = { a: ['127.0.0.2'], ttlS: 0 };
  const sender = scene.client(`http://rebind.acme.io:${server.port}/`, { resolver, policy });
  expect((await sender.post(postRequest())).statusCode).toBe(200);
  dns.zones['rebind.acme.io'] = { a: ['127.0.0.1'], ttlS: 0 };
  later += 1_001;
  const sent = await sender.post(postRequest());
  expect(sent).toMatchObject({ result: { kind: 'failure', error: 'blocked_address' }, errorDetail: undefined });
  expect([outside.requests.length, server.sockets.length]).toEqual([1, 0]);
});

describe('S18: given that our own DNS is out', () => {
  it('S18: nobody listening, then it is not the endpoint’s fault', async () => {
    const sent = await client('good.acme.io', resolverAt('127.0.0.1:9')).post(postRequest());
    expect(sent).toMatchObject({ result: { kind: 'failure', error: 'dns_error' }, isOurFault: true });
  });

  it('S18: failing for every name, then it is not the endpoint’s fault, until another name is answered', async () => {
    dns.zones[''] = { code: SERVFAIL };
    expect((await client('failing.acme.io').post(postRequest())).isOurFault).toBe(true);
    later += 1_001;
    dns.zones['failing.acme.io'] = { code: SERVFAIL, afterMs: 200 };
    const failing = client('failing.acme.io').post(postRequest());
    expect((await client('good.acme.io').post(postRequest())).statusCode).toBe(200);
    expect((await failing).isOurFault).toBe(false);
  });

  it('S18: silent, then an attempt that ran out of time meanwhile is not the endpoint’s fault', async () => {
    delete dns.zones[''];
    const sent = await client('silent.acme.io').post(postRequest({ timeoutMs: 200 }));
    expect(sent).toMatchObject({
      result: { kind: 'failure', error: 'timeout' },
      errorDetail: 'connect',
      isOurFault: true,
    });
  });
});
