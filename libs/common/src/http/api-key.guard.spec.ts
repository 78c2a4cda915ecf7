import { Controller, Get, type INestApplication } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { NoKeyNeeded } from '../access/no-key-needed.js';
import { type AuthenticatedKey, generateApiKey } from '../api-keys/api-key.js';
import { ApiKeyTable } from '../api-keys/api-key-table.js';
import type { ApiKeyRecord } from '../records/api-key-record.js';
import { ApiKeyGuard, Caller, RequireScope } from './api-key.guard.js';
import { ProblemFilter } from './problem.filter.js';

@Controller()
class GuardedController {
  @Get('read')
  @RequireScope('read')
  read(@Caller() caller: AuthenticatedKey): AuthenticatedKey {
    return caller;
  }

  @Get('write')
  @RequireScope('write')
  write(): string {
    return 'written';
  }

  @Get('unnamed')
  unnamed(): string {
    return 'administered';
  }

  @Get('open')
  @NoKeyNeeded()
  open(): string {
    return 'open';
  }
}

describe('ApiKeyGuard', () => {
  const table = new ApiKeyTable();
  let app: NestFastifyApplication;

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      controllers: [GuardedController],
      providers: [
        { provide: ApiKeyTable, useValue: table },
        { provide: APP_GUARD, useClass: ApiKeyGuard },
      ],
    }).compile();
    app = module.createNestApplication<NestFastifyApplication & INestApplication>(new FastifyAdapter(), {
      logger: false,
    });
    app.useGlobalFilters(new ProblemFilter());
    await app.init();
  });
  beforeEach(() => {
    table.isComplete = true;
  });
  afterAll(() => app.close());

  function addKey(over: Partial<ApiKeyRecord>): string {
    const key = generateApiKey();
    const record = {
      v: 1,
      id: key.id,
      version: 1,
      hash: key.hash,
      tenant: 'acme',
      scopes: [],
      expires_at: null,
      ...over,
    };
    table.apply(key.id, Buffer.from(JSON.stringify(record)));
    return key.text;
  }

  async function get(
    url: string,
    authorization?: string,
  ): Promise<{ status: number; code?: string; body: unknown; headers: object }> {
    const response = await app.inject({ url, headers: authorization === undefined ? {} : { authorization } });
    const body = response.headers['content-type']?.toString().includes('json') ? response.json() : response.body;
    return { status: response.statusCode, code: body.code, body, headers: response.headers };
  }

  it('given a key with the scope, then the handler knows who asks', async () => {
    const text = addKey({ scopes: ['read'] });
    const { status, body } = await get('/read', `Bearer ${text}`);
    expect(status).toBe(200);
    expect(body).toEqual({ id: text.split('_')[1], tenant: 'acme', scopes: ['read'] });
  });

  it('given an admin key, then every scope is allowed', async () => {
    expect((await get('/write', `bearer ${addKey({ tenant: null, scopes: ['admin'] })}`)).status).toBe(200);
  });

  it('given a key without the scope, then 403', async () => {
    expect(await get('/write', `Bearer ${addKey({ scopes: ['read'] })}`)).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
    });
  });

  it('given a route that names no scope, then it needs an admin key', async () => {
    expect((await get('/unnamed')).status).toBe(401);
    expect((await get('/unnamed', `Bearer ${addKey({ scopes: ['read', 'write'] })}`)).status).toBe(403);
    expect((await get('/unnamed', `Bearer ${addKey({ scopes: ['admin'] })}`)).status).toBe(200);
  });

  it('given a route that says it needs no key, then it answers without one', async () => {
    expect((await get('/open')).status).toBe(200);
  });

  it.each([undefined, 'Basic YTpi', 'Bearer', 'Bearer ph_nope', `Bearer ${generateApiKey().text}`])(
    'given the authorization "%s", then 401 with a challenge',
    async (authorization) => {
      const answer = await get('/read', authorization);
      expect(answer).toMatchObject({ status: 401, code: 'UNAUTHENTICATED', headers: { 'www-authenticate': 'Bearer' } });
    },
  );

  it('given keys not read yet, then an unknown key is asked to come back and a known one is served', async () => {
    const text = addKey({ scopes: ['read'] });
    table.isComplete = false;
    const answer = await get('/read', `Bearer ${generateApiKey().text}`);
    expect(answer).toMatchObject({ status: 503, code: 'EVENT_LOG_UNAVAILABLE', headers: { 'retry-after': '1' } });
    expect((await get('/read', `Bearer ${text}`)).status).toBe(200);
  });
});
