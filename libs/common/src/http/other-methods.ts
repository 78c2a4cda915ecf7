import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError } from './problem.js';

/**
 * Answers 405, and the methods there are, to a path that has a route but none for the method of the request. Fastify
 * looks for method and path at once, so that it would be a 404. Has to be called before there are routes.
 */
export function refuseOtherMethods(server: FastifyInstance): void {
  const routes: { segments: readonly string[]; method: string }[] = [];
  server.addHook('onRoute', ({ url, method }) => {
    for (const one of [method].flat()) routes.push({ segments: url.split('/'), method: one });
  });
  server.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => {
    if (!request.is404) return done();
    const path = request.url.split('?', 1)[0]?.split('/') ?? [];
    const methods = new Set(routes.filter(({ segments }) => isOn(path, segments)).map(({ method }) => method));
    if (methods.size === 0) return done();
    const allowed = [...methods].sort().join(', ');
    reply.header('allow', allowed);
    done(new ProblemError('METHOD_NOT_ALLOWED', `this path takes ${allowed}, not ${request.method}`));
  });
}

/** @param route `/v1/endpoints/:id`, split; wildcards and patterns of parameters are not used here */
function isOn(path: readonly string[], route: readonly string[]): boolean {
  const fits = (segment: string, index: number) => segment.startsWith(':') || segment === path[index];
  return path.length === route.length && route.every(fits);
}
