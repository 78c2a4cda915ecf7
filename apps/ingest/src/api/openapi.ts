import { z } from 'zod';
import { PROBLEMS, type ProblemCode } from '#common/http/problem.js';
import { CLOUD_EVENT_BATCH_TYPE, CLOUD_EVENT_TYPE, structuredCloudEventSchema } from '#common/records/cloud-event.js';
import { eventIdField, eventSchema } from '#common/records/event.js';

const accepted = z.object({ id: eventIdField });
const acceptedBatch = z.object({ items: z.array(accepted).describe('In the order of the request.') });
const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]).describe('Stable: match this.'),
  errors: z
    .array(z.object({ field: z.string().describe('e.g. `type`, `events[3].type`, `ce-time`'), message: z.string() }))
    .optional(),
});

const schema = (of: z.ZodType) => {
  const { $schema: _, ...rest } = z.toJSONSchema(of, { io: 'input' });
  return rest;
};
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (of: object) => ({ 'application/json': { schema: of } });
const listOf = (name: string) => ({ type: 'array', minItems: 1, items: ref(name) });

const ERRORS: readonly ProblemCode[] = [
  'BODY_INVALID',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'BODY_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'EVENT_LOG_UNAVAILABLE',
];

const retryAfter = { 'retry-after': { description: 'Seconds.', schema: { type: 'integer' } } };

function problems(): Record<string, object> {
  const content = { 'application/problem+json': { schema: ref('Problem') } };
  return Object.fromEntries(
    ERRORS.map((code) => {
      const { status, title } = PROBLEMS[code];
      return [
        status,
        { description: `${title} (\`${code}\`)`, content, ...(status === 503 ? { headers: retryAfter } : {}) },
      ];
    }),
  );
}

/** OpenAPI 3.1 document of the producers' API. Its schemas are those that validate requests. */
export const openApiDocument = {
  openapi: '3.1.0',
  info: {
    title: 'Posthorn ingest',
    version: '1',
    description:
      'Publish events. 202 means that Kafka has stored them. After a 503, or no answer, publish again with the same id: a second event with an id of the last 7 days is dropped.',
  },
  security: [{ apiKey: [] }],
  paths: {
    '/v1/events': {
      post: {
        operationId: 'publishEvent',
        summary: 'Publish an event',
        description:
          "A native envelope, or CloudEvents 1.0 in structured mode, or in binary mode (`ce-` headers, any content-type: JSON data stay as they are, text becomes a JSON string, all else base64). Of CloudEvents' attributes `time` is `occurred_at`, `partitionkey` (or else `subject`) is `resource_id`, and the extension `tenant` is `tenant`.",
        parameters: [
          {
            name: 'idempotency-key',
            in: 'header',
            description: 'The id of an event that has none of its own.',
            schema: schema(eventIdField),
          },
        ],
        requestBody: {
          required: true,
          content: { ...json(ref('Event')), [CLOUD_EVENT_TYPE]: { schema: ref('CloudEvent') } },
        },
        responses: { 202: { description: 'Stored', content: json(schema(accepted)) }, ...problems() },
      },
    },
    '/v1/events/batch': {
      post: {
        operationId: 'publishEvents',
        summary: 'Publish a list of events',
        description: 'All of them are valid, or none is taken. After a 503 some may be stored.',
        requestBody: {
          required: true,
          content: {
            ...json({ oneOf: [listOf('Event'), { type: 'object', properties: { events: listOf('Event') } }] }),
            [CLOUD_EVENT_BATCH_TYPE]: { schema: listOf('CloudEvent') },
          },
        },
        responses: { 202: { description: 'Stored', content: json(schema(acceptedBatch)) }, ...problems() },
      },
    },
  },
  components: {
    securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', bearerFormat: 'ph_…' } },
    schemas: {
      Event: schema(eventSchema),
      CloudEvent: schema(structuredCloudEventSchema),
      Problem: schema(problem),
    },
  },
} as const;
