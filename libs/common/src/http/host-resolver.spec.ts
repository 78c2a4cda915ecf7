import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OneUrlSender } from '../../../../test/support/sender.js';
import { NXDOMAIN, StubDns } from '../../../../test/support/stub-dns.js';
import { addressPolicy } from '../security/address-policy.js';
import { HostResolver, type HostResolverOptions } from './host-resolver.js';

let folder: string;
let dns: StubDns;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'posthorn-hosts-'));
  dns = await StubDns.start({
    'dual.acme.io': { a: ['93.184.216.34', '93.184.216.35'], aaaa: [1, 2] },
    'six.acme.io': { aaaa: [6] },
    'many.acme.io': { a: Array.from({ length: 20 }, (_, index) => `93.184.216.${index}`) },
    'brief.acme.io': { a: ['93.184.216.34'], ttlS: 0 },
    'nothing.acme.io': {},
    'unknown.acme.io': { code: NXDOMAIN },
  });
});
afterEach(async () => {
  dns.close();
  await rm(folder, { recursive: true });
});

const resolverOf = (options: HostResolverOptions = {}) =>
  new HostResolver({ servers: [dns.address], hostsFile: join(folder, 'hosts'), ...options });
const addresses = async (resolver: HostResolver, name: string) =>
  (await resolver.resolve(name)).map(({ address }) => address);

describe('HostResolver', () => {
  it.each([
    ['dual.acme.io', ['93.184.216.34', '93.184.216.35', '2606::1', '2606::2']],
    ['DUAL.acme.io.', ['93.184.216.34', '93.184.216.35', '2606::1', '2606::2']],
    ['six.acme.io', ['2606::6']],
  ])('given %s, then its addresses are found, IPv4 first', async (name, expected) => {
    expect(await addresses(resolverOf(), name)).toEqual(expected);
  });

  it('given a name with many addresses, then a few are enough', async () => {
    expect(await addresses(resolverOf(), 'many.acme.io')).toHaveLength(4);
  });

  it.each(['localhost', 'api.localhost', 'LOCALHOST.'])(
    'given %s, then it is loopback, and nobody is asked',
    async (name) => {
      expect(await addresses(resolverOf(), name)).toEqual(['127.0.0.1', '::1']);
      expect(dns.questions).toEqual([]);
    },
  );

  it('given a name of the hosts file, then that counts, and nobody is asked', async () => {
    const lines = [
      '# 10.9.9.9 dual.acme.io',
      '::5 Dual.Acme.IO # ours',
      '10.1.2.3\tother dual.acme.io',
      'x dual.acme.io',
    ];
    await writeFile(join(folder, 'hosts'), lines.join('\n'));
    expect(await addresses(resolverOf(), 'dual.acme.io')).toEqual(['10.1.2.3', '::5']);
    expect(dns.questions).toEqual([]);
  });

  it.each([
    ['nothing.acme.io', 'ENODATA'],
    ['unknown.acme.io', 'ENOTFOUND'],
  ])('given %s, then it fails with %s', async (name, code) => {
    await expect(resolverOf().resolve(name)).rejects.toMatchObject({ code });
  });

  it('given that no server listens, then it says so', async () => {
    await expect(resolverOf({ servers: ['127.0.0.1:9'] }).resolve('a.io')).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  it('given a name asked for again, then the answer is kept for its TTL, and a failure for a second', async () => {
    let now = 0;
    const resolver = resolverOf({ now: () => now });
    const asked = async (name: string) => {
      await resolver.resolve(name).catch(() => undefined);
      return dns.questions.splice(0).length;
    };
    expect(await asked('dual.acme.io')).toBe(2);
    now = 4_999;
    expect(await asked('dual.acme.io')).toBe(0);
    now = 5_001;
    expect(await asked('dual.acme.io')).toBe(2);
    expect(await asked('brief.acme.io')).toBe(2);
    expect(await asked('unknown.acme.io')).toBe(2);
    now += 999;
    expect(await asked('brief.acme.io')).toBe(0);
    expect(await asked('unknown.acme.io')).toBe(0);
    now += 2;
    expect(await asked('unknown.acme.io')).toBe(2);
  });

  it('given many who ask at once, then one question is sent', async () => {
    const resolver = resolverOf();
    await Promise.all(Array.from({ length: 50 }, () => resolver.resolve('dual.acme.io')));
    expect(dns.questions).toEqual(['dual.acme.io A', 'dual.acme.io AAAA']);
  });

  it('given names whose servers are silent, then others are found meanwhile, and an attempt ends at its deadline', async () => {
    const resolver = resolverOf();
    const policy = addressPolicy({ allowHttp: true, allowedAddresses: [] });
    const clients = Array.from(
      { length: 20 },
      (_, index) => new OneUrlSender(`http://dead-${index}.acme.io/`, { maxConnections: 1, policy, resolver }),
    );
    const attempts = clients.map((client) => client.post({ headers: [], body: Buffer.from('{}'), timeoutMs: 300 }));
    const startedAt = performance.now();
    expect(await addresses(resolver, 'dual.acme.io')).toHaveLength(4);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    for (const sent of await Promise.all(attempts)) {
      expect(sent).toMatchObject({ result: { kind: 'failure', error: 'timeout' }, errorDetail: 'connect' });
      expect(sent.durationMs).toBeLessThan(1_800);
    }
    dns.denyTheRest();
    await Promise.all(clients.map((client) => client.close()));
  });
});

it('given a name that does not exist, then the attempt is a DNS error that says so', async () => {
  const policy = addressPolicy({ allowHttp: true, allowedAddresses: [] });
  const client = new OneUrlSender('http://unknown.acme.io/', { maxConnections: 1, policy, resolver: resolverOf() });
  const sent = await client.post({ headers: [], body: Buffer.from('{}'), timeoutMs: 5_000 });
  expect(sent).toMatchObject({ result: { kind: 'failure', error: 'dns_error' }, errorDetail: 'enotfound' });
  await client.close();
});
