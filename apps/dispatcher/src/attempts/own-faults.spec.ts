import { HostResolver } from '#common/http/host-resolver.js';
import { response } from '../../../../test/support/raw-server.js';
import { postRequest, useSender } from '../../../../test/support/sender.js';
import { SERVFAIL, StubDns } from '../../../../test/support/stub-dns.js';
import { throughOwnFaults } from './own-faults.js';

const scene = useSender();
let dns: StubDns;
let resolver: HostResolver;
let later = 0;

beforeEach(async () => {
  dns = await StubDns.start({ '': { code: SERVFAIL }, 'hooks.acme.io': { code: SERVFAIL } });
  resolver = new HostResolver({
    servers: [dns.address],
    hostsFile: '/nonexistent',
    // Each failure is kept for a second, which nobody here wants to wait for.
    now: () => {
      later += 1_000;
      return performance.now() + later;
    },
  });
});
afterEach(() => dns.close());

it('S18: given that our own DNS is out for some attempts, then the endpoint gets one, and it delivers', async () => {
  const server = await scene.server(response(200));
  const client = scene.client(`http://hooks.acme.io:${server.port}/`, { resolver });
  const faults: (string | undefined)[] = [];
  const attempt = async () => {
    const sent = await client.post(postRequest());
    if (sent.isOurFault && faults.push(sent.errorDetail) === 3) {
      dns.zones[''] = {};
      dns.zones['hooks.acme.io'] = { a: ['127.0.0.1'] };
    }
    return sent;
  };
  const sent = await throughOwnFaults(await attempt(), attempt, new AbortController().signal, 1);
  expect(sent.statusCode).toBe(200);
  expect(faults).toEqual(['eservfail', 'eservfail', 'eservfail']);
  expect(server.requests).toHaveLength(1);
});

it('given that it lasts, then the waiting ends with the signal', async () => {
  const client = scene.client('http://hooks.acme.io/', { resolver });
  const controller = new AbortController();
  const attempt = () => client.post(postRequest()).finally(() => controller.abort());
  const sent = await throughOwnFaults(await attempt(), attempt, controller.signal, 600_000);
  expect(sent).toMatchObject({ result: { kind: 'failure', error: 'dns_error' }, isOurFault: true });
});
