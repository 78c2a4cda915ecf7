import { partitionOf } from '#common/kafka/port/partitioner.js';
import type { EventInput } from '../support/client.js';
import { deliveriesPoison, INGEST_POISON, MAX_EVENT_BYTES, type Poison } from '../support/poison.js';
import type { Hook } from '../support/receiver.js';
import type { TailRecord } from '../support/topic-tail.js';
import { until } from '../support/until.js';
import type { SystemInUse } from '../support/use-system.js';

/** Default number of partitions of `ingest` and `deliveries`. */
const PARTITIONS = 8;

/** Packed header of a delivery to an unknown endpoint. */
const PACKED_HEADER = ['1', 'dlv_1', 'evt', 'ep_1', 'default', 'poison.taken', 0, 0, Date.now(), 'f', '', '', ''].join(
  '\n',
);

export function whatIsRefused(use: SystemInUse): void {
  describe('over HTTP', () => {
    const event = JSON.stringify({ type: 'invoice.paid', data: null });
    const keys: Record<string, string | undefined> = { wrong: `ph_00000000_${'A'.repeat(43)}_000000`, none: undefined };

    beforeAll(async () => {
      keys.admin = use.system.run.api_key;
      for (const scope of ['read', 'write']) {
        const url = `${use.system.run.control_url}/v1/api-keys`;
        const { body } = await use.system.request(url, { tenant: 'acme', scopes: [scope] });
        keys[scope] = (body as { key: string }).key;
      }
      await until(
        'the keys are known',
        async () => (await send('ingest_url', '/v1/events', 'write', event)).status === 202,
      );
    });

    async function send(
      app: 'ingest_url' | 'control_url',
      path: string,
      key: string,
      body?: string,
      type = 'application/json',
    ) {
      const authorization = keys[key] === undefined ? {} : { authorization: `Bearer ${keys[key]}` };
      const post = body === undefined ? {} : { method: 'POST', body };
      return fetch(use.system.run[app] + path, { ...post, headers: { 'content-type': type, ...authorization } });
    }

    const big = JSON.stringify({ type: 'invoice.paid', data: 'x'.repeat(MAX_EVENT_BYTES) });
    const wrong = JSON.stringify({ id: 'ä', type: 7, occurred_at: 'yesterday', resourceid: 'r' });
    it.each`
      what                          | app              | path                    | key        | body                                     | status | code                 | fields
      ${'no JSON'}                  | ${'ingest_url'}  | ${'/v1/events'}         | ${'admin'} | ${'hello'}                               | ${400} | ${'BODY_INVALID'}    | ${['body']}
      ${'an event all wrong'}       | ${'ingest_url'}  | ${'/v1/events'}         | ${'admin'} | ${wrong}                                 | ${400} | ${'BODY_INVALID'}    | ${['data', 'id', 'occurred_at', 'resourceid', 'type']}
      ${'no key'}                   | ${'ingest_url'}  | ${'/v1/events'}         | ${'none'}  | ${event}                                 | ${401} | ${'UNAUTHENTICATED'} | ${[]}
      ${'a wrong key'}              | ${'ingest_url'}  | ${'/v1/events'}         | ${'wrong'} | ${event}                                 | ${401} | ${'UNAUTHENTICATED'} | ${[]}
      ${'a key that may only read'} | ${'ingest_url'}  | ${'/v1/events'}         | ${'read'}  | ${event}                                 | ${403} | ${'FORBIDDEN'}       | ${[]}
      ${"another tenant's event"}   | ${'ingest_url'}  | ${'/v1/events'}         | ${'write'} | ${tenantEvent('other')}                  | ${403} | ${'FORBIDDEN'}       | ${[]}
      ${'too large an event'}       | ${'ingest_url'}  | ${'/v1/events'}         | ${'admin'} | ${big}                                   | ${413} | ${'BODY_TOO_LARGE'}  | ${[]}
      ${'a path that is none'}      | ${'ingest_url'}  | ${'/v1/event'}          | ${'admin'} | ${event}                                 | ${404} | ${'NOT_FOUND'}       | ${[]}
      ${'an endpoint without URL'}  | ${'control_url'} | ${'/v1/endpoints'}      | ${'admin'} | ${'{"payload":"slim"}'}                  | ${400} | ${'BODY_INVALID'}    | ${['event_types', 'payload', 'url']}
      ${'a metadata address'}       | ${'control_url'} | ${'/v1/endpoints'}      | ${'admin'} | ${endpointAt('http://169.254.169.254/')} | ${422} | ${'URL_NOT_ALLOWED'} | ${['url']}
      ${'no key'}                   | ${'control_url'} | ${'/v1/endpoints'}      | ${'none'}  | ${undefined}                             | ${401} | ${'UNAUTHENTICATED'} | ${[]}
      ${'a key that may not'}       | ${'control_url'} | ${'/v1/api-keys'}       | ${'write'} | ${undefined}                             | ${403} | ${'FORBIDDEN'}       | ${[]}
      ${'an endpoint there is not'} | ${'control_url'} | ${'/v1/endpoints/ep_0'} | ${'admin'} | ${undefined}                             | ${404} | ${'NOT_FOUND'}       | ${[]}
    `('given $what at $app, then $status $code', async ({ app, path, key, body, status, code, fields }) => {
      const response = await send(app, path, key, body);

      expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
      const { errors = [], ...problem } = (await response.json()) as Problem;
      expect({ http: response.status, ...problem }).toMatchObject({
        http: status,
        status,
        code,
        title: expect.any(String),
      });
      expect(errors.map(({ field }) => field).sort()).toEqual(fields);
    });

    it('given another content type, then 415', async () => {
      const response = await send('ingest_url', '/v1/events', 'admin', event, 'text/plain');

      expect(response.status).toBe(415);
      expect(await response.json()).toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
    });
  });

  describe('over Kafka', () => {
    let hook: Hook;
    let endpointId: string;
    let pids: Record<string, number>;
    beforeAll(async () => {
      pids = use.system.run.pids;
      hook = use.receiver.hook();
      endpointId = await use.client.createEndpoint(hook, { event_types: ['poison.followed'] });
    });
    afterAll(() => expect(use.system.run.pids).toEqual(pids));

    it.each(Object.entries(INGEST_POISON))(
      'given %s in ingest, then it goes to dlq unchanged, and later events are delivered',
      async (what, poison) => {
        const source = await put('ingest', what, poison);
        const behind = await use.client.publishByKafka(followingEvent(what));

        expect(source).toMatch(`ingest/${behind.partition}/`);
        await until('what is behind it arrives', () => hook.accepted.has(behind.id));
        await expectSetAside(source, poison, what);
      },
    );

    it.each(Object.entries(deliveriesPoison(PACKED_HEADER)))(
      'given %s in deliveries, then it goes to dlq unchanged, and later events are delivered',
      async (what, poison) => {
        const lane = `${endpointId}:${what}`;

        const source = await put('deliveries', lane, poison);
        const behind = await use.client.publish(followingEvent(what));

        await until('what is behind it arrives', () => hook.accepted.has(behind));
        await expectSetAside(source, poison, lane);
      },
    );

    /** Finds the next position of this key. @returns topic/partition/offset */
    async function put(topic: string, key: string, poison: Poison): Promise<string> {
      const headers = { ...poison.headers, own: Buffer.from([0xff, 0x00]) };
      const record = { key: poison.key === null ? null : key, value: poison.value, headers };
      const { baseOffset, partition } = await use.client.produce(topic, {
        ...record,
        partition: partitionOf(key, PARTITIONS),
      });
      return `${topic}/${partition}/${baseOffset}`;
    }

    async function expectSetAside(source: string, poison: Poison, key: string): Promise<void> {
      const find = () =>
        use.client.dlq.records.find(({ headers }) => String(headers['posthorn-dead-source']) === source);
      await until('it is in dlq', () => find() !== undefined);
      const { headers, ...record } = find() as TailRecord;
      const value = poison.value === null ? null : Buffer.from(poison.value);
      expect(record).toMatchObject({ key: poison.key === null ? null : Buffer.from(key), value });
      const { 'posthorn-dead-reason': _reason, ...own } = poison.headers ?? {};
      for (const [name, bytes] of Object.entries(own)) expect(headers[name]).toEqual(Buffer.from(bytes as Buffer));
      expect(headers.own).toEqual(Buffer.from([0xff, 0x00]));
      expect(String(headers['posthorn-dead-reason'])).toBe('payload_error');
      const letters = () => use.client.deadLetters({ reason: 'payload_error' });
      await until('the API lists it', async () => (await letters()).some((letter) => letter.source === source));
    }
  });
}

function followingEvent(resourceId: string): EventInput {
  return { type: 'poison.followed', resource_id: resourceId, data: null };
}

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly errors?: readonly { readonly field: string }[];
}

function tenantEvent(tenant: string): string {
  return JSON.stringify({ type: 'invoice.paid', tenant, data: null });
}

function endpointAt(url: string): string {
  return JSON.stringify({ url, event_types: ['*'] });
}
