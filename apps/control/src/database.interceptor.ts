import { type CallHandler, type ExecutionContext, Injectable, Logger, type NestInterceptor } from '@nestjs/common';
import { catchError, type Observable, throwError } from 'rxjs';
import { ProblemError } from '#common/http/problem.js';
import { isUnavailable, isValueRefused } from '#common/postgres/errors.js';
import { SchemaState } from './schema/schema-state.js';

const RETRY_AFTER_S = 2;

/**
 * Tells a caller that the database is away, and when to come back, or that the database cannot hold a value of the
 * request. Any other error stays a bug.
 */
@Injectable()
export class DatabaseInterceptor implements NestInterceptor {
  private readonly logger = new Logger(DatabaseInterceptor.name);

  constructor(private readonly schema: SchemaState) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    return next.handle().pipe(catchError((error: unknown) => throwError(() => this.problemOf(error))));
  }

  private problemOf(error: unknown): unknown {
    if (isUnavailable(error)) return unavailable(error);
    if (error instanceof ProblemError) return error;
    if (!this.schema.isReady) return unavailable(error);
    return isValueRefused(error) ? this.refused(error) : error;
  }

  /** The schemas of parameters refuse such values by name. A value that reaches the database shows a hole in a schema. */
  private refused(cause: unknown): ProblemError {
    this.logger.error({ err: cause }, 'request.value_refused');
    return new ProblemError('BODY_INVALID', 'the database cannot hold a value of the request', { cause });
  }
}

function unavailable(cause: unknown): ProblemError {
  const extra = { retryAfterS: RETRY_AFTER_S, cause };
  return new ProblemError('DATABASE_UNAVAILABLE', 'the database did not answer; try again', extra);
}
