import {
  applyDecorators,
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Injectable,
  SetMetadata,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiBearerAuth } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { NO_KEY_NEEDED } from '../access/no-key-needed.js';
import { type ApiScope, type AuthenticatedKey, hasScope } from '../api-keys/api-key.js';
import { ApiKeyTable } from '../api-keys/api-key-table.js';
import { ProblemError } from './problem.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by {@link ApiKeyGuard}. */
    apiKey?: AuthenticatedKey;
  }
}

/** Metadata of {@link RequireScope}. */
export const SCOPE = 'posthorn:scope';

/** On a controller or a route: callers need a valid API key with this scope. 401 without a key, 403 without the scope. */
export function RequireScope(scope: ApiScope): ClassDecorator & MethodDecorator {
  return applyDecorators(SetMetadata(SCOPE, scope), ApiBearerAuth());
}

/** The key a guarded request was made with. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): AuthenticatedKey => {
  const { apiKey } = context.switchToHttp().getRequest<FastifyRequest>();
  if (apiKey === undefined) throw new ProblemError('UNAUTHENTICATED', 'the route is not guarded');
  return apiKey;
});

/**
 * Finds the caller of a request among the keys in memory.
 *
 * @param authorization the header, `Bearer <key>`
 * @throws ProblemError UNAUTHENTICATED; FORBIDDEN without the scope; EVENT_LOG_UNAVAILABLE while the keys are not all read
 */
export function callerOf(authorization: string | undefined, scope: ApiScope, keys: ApiKeyTable): AuthenticatedKey {
  const text = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (text === undefined) throw new ProblemError('UNAUTHENTICATED', 'send the header authorization: Bearer <API key>');
  const key = keys.authenticate(text, Date.now());
  if (key === undefined) {
    if (keys.isComplete) throw new ProblemError('UNAUTHENTICATED', 'the API key is not valid');
    throw new ProblemError('EVENT_LOG_UNAVAILABLE', 'the API keys are still being read', { retryAfterS: 1 });
  }
  if (!hasScope(key, scope)) throw new ProblemError('FORBIDDEN', `this needs an API key with the scope "${scope}"`);
  return key;
}

/** Scope of a route that names none: the one that fewest keys have. */
const DEFAULT_SCOPE: ApiScope = 'admin';

/**
 * {@link callerOf} for Nest's routes, as an app's `APP_GUARD`: every HTTP route needs a key, unless it says `NoKeyNeeded`.
 * Handlers of records are not guarded: no HTTP request reaches them.
 */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(
    private readonly keys: ApiKeyTable,
    private readonly reflector: Reflector,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean>(NO_KEY_NEEDED, targets)) return true;
    const scope = this.reflector.getAllAndOverride<ApiScope | undefined>(SCOPE, targets) ?? DEFAULT_SCOPE;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    request.apiKey = callerOf(request.headers.authorization, scope, this.keys);
    return true;
  }
}
