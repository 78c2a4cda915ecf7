import { fastify } from 'fastify';
import { refuseOtherMethods } from './other-methods.js';
import { ProblemError } from './problem.js';

const server = fastify({ exposeHeadRoutes: false });
refuseOtherMethods(server);
server.setErrorHandler((error, _request, reply) => {
  if (error instanceof ProblemError) reply.status(405).send({ code: error.code, detail: error.message });
});
server.get('/letters', () => 'list');
server.post('/letters', () => 'new');
server.get('/letters/stats', () => 'stats');
server.get('/letters/:id', () => 'one');
server.delete('/letters/:id', () => 'gone');
server.post('/letters/:id/replay', () => 'again');
afterAll(() => server.close());

describe('refuseOtherMethods', () => {
  it.each([
    { given: 'PUT of a plain path', method: 'PUT', url: '/letters', allow: 'GET, POST' },
    { given: 'a query', method: 'PUT', url: '/letters?limit=1', allow: 'GET, POST' },
    { given: 'OPTIONS of a path with a parameter', method: 'OPTIONS', url: '/letters/7', allow: 'DELETE, GET' },
    { given: 'GET behind a parameter', method: 'GET', url: '/letters/7/replay', allow: 'POST' },
    { given: 'a path that two routes have', method: 'PATCH', url: '/letters/stats', allow: 'DELETE, GET' },
  ] as const)('given $given, then 405 names the methods there are', async ({ method, url, allow }) => {
    const answer = await server.inject({ method, url });
    expect({ status: answer.statusCode, allow: answer.headers.allow }).toEqual({ status: 405, allow });
    expect(answer.json()).toEqual({ code: 'METHOD_NOT_ALLOWED', detail: `this path takes ${allow}, not ${method}` });
  });

  it.each(['/other', '/letters/7/again', '/letters/7/replay/8', '/'])(
    'given the path %s, which there is not, then it stays a 404',
    async (url) => {
      const answer = await server.inject({ method: 'GET', url });
      expect({ status: answer.statusCode, allow: answer.headers.allow }).toEqual({ status: 404, allow: undefined });
    },
  );

  it('given a method the path has, then it is answered', async () => {
    expect((await server.inject({ method: 'DELETE', url: '/letters/7' })).body).toBe('gone');
  });
});
