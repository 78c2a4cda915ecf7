import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import { catchError, type Observable, throwError } from 'rxjs';
import { ProblemError } from '#common/http/problem.js';
import { isUnavailable } from '#common/postgres/errors.js';
import { SchemaState } from './schema-state.js';

const RETRY_AFTER_S = 2;

/** Tells a caller that the database is away, and when to come back; a bug stays a bug. */
@Injectable()
export class DatabaseInterceptor implements NestInterceptor {
  constructor(@Inject(SchemaState) private readonly schema: SchemaState) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const isOurs = (error: unknown) =>
      isUnavailable(error) || (!this.schema.isReady && !(error instanceof ProblemError));
    return next
      .handle()
      .pipe(catchError((error: unknown) => throwError(() => (isOurs(error) ? unavailable(error) : error))));
  }
}

function unavailable(cause: unknown): ProblemError {
  const extra = { retryAfterS: RETRY_AFTER_S, cause };
  return new ProblemError('DATABASE_UNAVAILABLE', 'the database did not answer; try again', extra);
}
