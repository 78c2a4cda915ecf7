import type { TLSSocket, TlsOptions } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type KeyPair, TestAuthority } from '../../../../test/support/certificates.js';
import { type RawServer, response } from '../../../../test/support/raw-server.js';
import { postRequest, useSender } from '../../../../test/support/sender.js';
import { until } from '../../../../test/support/until.js';

/* Bad endpoints, continued: S13, what is wrong before a byte of HTTP could be sent. */

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const scene = useSender();
let authority: TestAuthority;
let ca: string;
let good: KeyPair;

beforeAll(() => {
  authority = new TestAuthority();
  ca = authority.cert;
  good = authority.issue('localhost');
});

const client = (server: RawServer, host = 'localhost') => scene.client(`https://${host}:${server.port}/`, { ca });

it('S13: given a certificate of a trusted authority for the host, then it is accepted, and the connection kept', async () => {
  const server = await scene.server(response(200, 'ok'), { tls: good });
  const sender = client(server);
  expect((await sender.post(postRequest())).responseBody.toString()).toBe('ok');
  expect((await sender.post(postRequest())).statusCode).toBe(200);
  expect([server.requests.length, server.sockets.length]).toEqual([2, 1]);
});

it('given connections that close, and garbage collections between them, then the sessions are resumed', async () => {
  const resumed: boolean[] = [];
  const server = await scene.server((socket) => socket.end(response(200)), {
    tls: good,
    onConnect: (socket) => resumed.push((socket as TLSSocket).isSessionReused()),
  });
  const sender = client(server);
  for (let round = 0; round < 3; round++) {
    expect((await sender.post(postRequest())).statusCode).toBe(200);
    await until('the connection is closed', () => server.openSockets === 0);
    collectGarbage();
    await new Promise(setImmediate);
    collectGarbage();
  }
  expect(resumed).toEqual([false, true, true]);
});

interface BadTls {
  readonly given: string;
  readonly tls: () => TlsOptions;
  readonly detail: string | RegExp;
  readonly host?: string;
}

const old = (version: 'TLSv1' | 'TLSv1.1'): TlsOptions => ({
  ...good,
  minVersion: version,
  maxVersion: version,
  ciphers: 'DEFAULT@SECLEVEL=0',
});

const BAD_TLS: readonly BadTls[] = [
  {
    given: 'a self-signed certificate',
    tls: () => authority.selfSigned('localhost'),
    detail: 'depth_zero_self_signed_cert',
  },
  { given: 'an expired one', tls: () => authority.issue('localhost', -1), detail: 'cert_has_expired' },
  { given: 'one of another host', tls: () => authority.issue('other.example'), detail: 'cert_altname_invalid' },
  { given: 'one of a name, at an address', tls: () => good, detail: 'cert_altname_invalid', host: '127.0.0.1' },
  {
    given: 'one of an unknown authority',
    tls: () => new TestAuthority().issue('localhost'),
    detail: 'unable_to_verify_leaf_signature',
  },
  { given: 'TLS 1.0 only', tls: () => old('TLSv1'), detail: 'tlsv1_alert_protocol_version' },
  { given: 'TLS 1.1 only', tls: () => old('TLSv1.1'), detail: 'tlsv1_alert_protocol_version' },
  {
    given: 'no cipher in common',
    tls: () => ({ ...good, maxVersion: 'TLSv1.2', ciphers: 'NULL-SHA256:@SECLEVEL=0' }),
    detail: /handshake_failure/,
  },
];

it.each(BAD_TLS)(
  'S13: given $given, then it is a TLS error $detail, and no byte is sent',
  async ({ tls, detail, host }) => {
    const server = await scene.server(response(200), { tls: tls() });
    const sent = await client(server, host).post(postRequest());
    expect(sent.result).toEqual({ kind: 'failure', error: 'tls_error' });
    expect(sent.errorDetail).toEqual(expect.stringMatching(detail));
    expect([server.bytesRead, server.openSockets]).toEqual([0, 0]);
  },
);

it('S13: given a server without TLS, then it is a TLS error', async () => {
  const server = await scene.server(response(400), { onConnect: (socket) => socket.write(response(400)) });
  const sent = await client(server).post(postRequest());
  expect(sent).toMatchObject({
    result: { kind: 'failure', error: 'tls_error' },
    errorDetail: 'wrong_version_number',
  });
  expect(server.requests).toEqual([]);
});

it('S13: given a server that hangs up on the first word, then the connection was reset', async () => {
  const server = await scene.server('', { onConnect: (socket) => socket.destroy() });
  const sent = await client(server).post(postRequest());
  expect(sent.result).toEqual({ kind: 'failure', error: 'connection_reset' });
});

it.each([
  { given: 'says nothing', greeting: '' },
  // A record of 512 bytes, of which five come.
  { given: 'stops within its first word', greeting: '\x16\x03\x03\x02\x00\x02\x00\x01\xfc\x03' },
])(
  'S13: given a handshake that $given, then attempts end in time, and share its one connection',
  async ({ greeting }) => {
    const server = await scene.server('', { onConnect: (socket) => socket.write(greeting, 'latin1') });
    const sender = client(server);
    for (let attempt = 0; attempt < 3; attempt++) {
      const sent = await sender.post(postRequest({ timeoutMs: 200 }));
      expect(sent).toMatchObject({ result: { kind: 'failure', error: 'timeout' }, errorDetail: 'connect' });
      expect(sent.durationMs).toBeLessThan(200 + 1_500);
    }
    expect([server.sockets.length, server.requests.length]).toEqual([1, 0]);
  },
);
