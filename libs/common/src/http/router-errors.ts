import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { ProblemError, problemBody } from './problem.js';

/** Fastify's router refuses some URLs before there is a hook or a filter; they are answered in the same form as all else. */
export function answerRouterError(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  const detail = error.code === 'FST_ERR_BAD_URL' ? 'the path is not well-formed' : 'a part of the path is too long';
  const body = problemBody(new ProblemError('BODY_INVALID', detail));
  reply.status(body.status).type('application/problem+json').send(body);
}
