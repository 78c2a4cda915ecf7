import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEMS, type ProblemCode, ProblemError, problemBody } from './problem.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The variable that sets the route's limit of a body; the problem names it. */
    bodyLimitSetting?: string;
  }
}

/** Turns whatever a request ends in, Nest's and Fastify's own errors included, into `application/problem+json`. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemFilter.name);

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const problem = toProblem(error, http.getRequest<FastifyRequest>());
    if (problem.code === 'INTERNAL') this.logger.error({ err: error }, 'request.failed');
    const reply = http.getResponse<FastifyReply>();
    if (problem.extra.retryAfterS !== undefined) reply.header('retry-after', String(problem.extra.retryAfterS));
    if (problem.code === 'UNAUTHENTICATED') reply.header('www-authenticate', 'Bearer');
    reply.status(PROBLEMS[problem.code].status).type('application/problem+json').send(problemBody(problem));
  }
}

const BY_STATUS: Readonly<Record<number, ProblemCode>> = {
  400: 'BODY_INVALID',
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  409: 'CONFLICT',
  413: 'BODY_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
};

/** The answer to an unknown error has no details; the log has them. */
function toProblem(error: unknown, { routeOptions }: FastifyRequest): ProblemError {
  if (error instanceof ProblemError) return error;
  const status = error instanceof HttpException ? error.getStatus() : fastifyStatus(error);
  const code = status === undefined ? undefined : BY_STATUS[status];
  if (code === undefined || !(error instanceof Error)) {
    return new ProblemError('INTERNAL', 'an unexpected error occurred', { cause: error });
  }
  const detail = code === 'BODY_TOO_LARGE' ? sizeText(routeOptions) : error.message;
  return new ProblemError(code, detail, { cause: error });
}

function sizeText({ bodyLimit, config }: FastifyRequest['routeOptions']): string {
  const setting = config.bodyLimitSetting === undefined ? '' : ` (${config.bodyLimitSetting})`;
  return `the body may have at most ${bodyLimit} bytes${setting}`;
}

/** Fastify's own errors carry a status and a code such as FST_ERR_CTP_BODY_TOO_LARGE. */
function fastifyStatus(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return undefined;
  const known = typeof error.code === 'string' && error.code.startsWith('FST_');
  return known && typeof error.statusCode === 'number' ? error.statusCode : undefined;
}
