import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { PROBLEMS, type ProblemCode } from '#common/http/problem.js';

/** RFC 9457, as problem.ts makes it. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    detail: z.string(),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]).describe('stable; match this, not the text'),
    errors: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .optional()
      .describe('one entry for each thing wrong with the request'),
  })
  .meta({ id: 'Problem' });

/** Problems of every guarded route. */
const ALWAYS: readonly ProblemCode[] = ['UNAUTHENTICATED', 'FORBIDDEN', 'DATABASE_UNAVAILABLE'];

/** Meaning of a success, by its status; the operation's summary names the object. */
const SUCCESSES = {
  200: 'as it is now',
  201: 'created',
  202: 'accepted; it happens after this answer',
  204: 'deleted',
} as const;

/** Documents the answers of a route: its success, and each problem by status. */
export function ApiAnswer(
  status: keyof typeof SUCCESSES,
  schema: z.ZodType | undefined,
  { problems = [] }: { problems?: readonly ProblemCode[] } = {},
): MethodDecorator & ClassDecorator {
  const codes = [...problems, ...ALWAYS];
  const statuses = [...new Set(codes.map((code) => PROBLEMS[code].status))];
  return applyDecorators(
    ApiResponse({ status, description: SUCCESSES[status], ...(schema ? { standardSchema: schema } : {}) }),
    ...statuses.map((problemStatus) => {
      const named = codes.filter((code) => PROBLEMS[code].status === problemStatus);
      const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
      return ApiResponse({ status: problemStatus, description: named.join(', '), content });
    }),
  );
}
