import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openApiDocument } from '../../apps/control/src/openapi.js';
import { ControlApp } from '../support/control-app.js';
import '../support/quiet.js';

let control: ControlApp;

beforeAll(async () => {
  control = await ControlApp.start();
});
afterAll(() => control.stop());

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly { readonly name: string; readonly schema: object }[];
  readonly requestBody?: { readonly required: boolean };
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
}
const operations = (): [string, Operation][] =>
  Object.entries(openApiDocument(control.app).paths).flatMap(([path, byMethod]) =>
    Object.entries(byMethod as Record<string, Operation>).map(([method, one]): [string, Operation] => [
      `${method} ${path}`,
      one,
    ]),
  );
const operation = (name: string) => Object.fromEntries(operations())[name];

describe('OpenAPI', () => {
  it('given the document, then it is OpenAPI 3.1, its references resolve, and every route lists its problems', async () => {
    const { status, body } = await control.get('/openapi.json', '');
    expect(status).toBe(200);
    expect(body.openapi).toBe('3.1.0');
    const references = JSON.stringify(body).match(/#\/components\/schemas\/[A-Za-z]+/g) ?? [];
    for (const reference of new Set(references)) {
      expect(Object.keys(body.components.schemas)).toContain(reference.split('/').at(-1));
    }
    for (const operations of Object.values(
      body.paths as Record<string, Record<string, { responses: object; security: object }>>,
    )) {
      for (const { responses, security } of Object.values(operations)) {
        expect(Object.keys(responses)).toEqual(expect.arrayContaining(['401', '403', '503']));
        expect(security).toBeDefined();
      }
    }
    const create = body.paths['/v1/endpoints'].post;
    const schema = create.requestBody.content['application/json'].schema;
    expect(schema).toMatchObject({ required: ['url', 'event_types'], additionalProperties: false });
    expect(schema.properties.retry_policy.anyOf).toHaveLength(3);
    expect(create.responses['201'].content['application/json'].schema.$ref).toMatch(/EndpointWithSecret$/);
    expect(create.responses['400'].content['application/problem+json'].schema.$ref).toMatch(/Problem$/);
  });

  it('given any operation, then it has a unique summary', () => {
    const summaries = operations().map(([, { summary }]) => summary);
    expect(summaries.filter((summary) => !summary)).toEqual([]);
    expect(new Set(summaries).size).toBe(summaries.length);
  });

  it('given routes without required fields, then their body is optional, and elsewhere required', () => {
    const optional = operations().filter(([, { requestBody }]) => requestBody?.required === false);
    expect(optional.map(([name]) => name)).toEqual(['post /v1/endpoints/{id}/secret/rotate']);
    expect(operation('post /v1/endpoints/{id}/secret/rotate')?.requestBody).toMatchObject({
      content: { 'application/json': { schema: { properties: { overlap_s: { default: 86_400 } } } } },
    });
  });

  it('given a boolean in a query, then only true and false are accepted', async () => {
    const replayed = operation('get /v1/dead-letters')?.parameters?.find(({ name }) => name === 'replayed');
    expect(replayed?.schema).toMatchObject({ type: 'boolean' });
    for (const value of ['true', 'false']) {
      expect((await control.get(`/v1/dead-letters?replayed=${value}`)).status).toBe(200);
    }
    expect(await control.get('/v1/dead-letters?replayed=yes')).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'replayed', message: 'must be true or false' }] },
    });
  });

  it('given the security scheme, then the bearer format is not JWT', () => {
    expect(openApiDocument(control.app).components?.securitySchemes).toMatchObject({
      bearer: { bearerFormat: 'ph_…' },
    });
  });
});
