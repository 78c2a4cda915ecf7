import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { refuseOtherMethods } from '#common/http/other-methods.js';
import { ProblemError } from '#common/http/problem.js';
import { answerRouterError } from '#common/http/router-errors.js';

/** A lane's id holds a resource id of up to 256 characters, in UTF-8 and base64; Fastify's default is 100. */
const MAX_PARAMETER_LENGTH = 2_048;

/** Fastify for an API that takes JSON and nothing else. */
export function createHttpAdapter(): FastifyAdapter {
  const adapter = new FastifyAdapter({
    routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH },
    frameworkErrors: answerRouterError,
  });
  const server: FastifyInstance = adapter.getInstance();
  refuseOtherMethods(server);
  const parseJson = server.getDefaultJsonParser('error', 'error');
  adapter.useBodyParser('application/json', false, {}, (request, body, done) => {
    // Clients name the type with every POST. Where a body is needed, its schema misses it.
    if (body.length === 0) done(null, undefined);
    else parseJson(request, body.toString(), done);
  });
  // A type a catch-all parser would not replace is named; Nest then registers none for forms, which it takes by default.
  for (const type of ['text/plain', '*']) adapter.useBodyParser(type, false, {}, refuseBody);
  return adapter;
}

function refuseBody(request: FastifyRequest, _body: Buffer, done: (error: Error | null) => void): void {
  const error = new ProblemError('UNSUPPORTED_MEDIA_TYPE', 'content-type must be application/json');
  done(request.is404 ? null : error);
}
