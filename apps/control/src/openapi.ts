import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import { VERSION } from '#common/version.js';
import { problemSchema } from './shared/api-answer.js';

/** OpenAPI 3.1 of every route, its schemas from the same zod objects that parse the requests. */
export function openApiDocument(app: NestFastifyApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Posthorn control API')
    .setDescription('Endpoints, API keys, and what became of events. Errors are RFC 9457 problem details.')
    .setVersion(VERSION)
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'ph_…', description: 'an API key' })
    .build();
  const document = SwaggerModule.createDocument(app, config, { standardSchemaConverter: convert });
  document.components ??= {};
  document.components.schemas = { ...document.components.schemas, Problem: jsonSchema(problemSchema, 'output') };
  return document;
}

/** Serves the document at `/openapi.json`; it never changes while the process lives. */
export function serveOpenApi(app: NestFastifyApplication): void {
  let text: string | undefined;
  app
    .getHttpAdapter()
    .getInstance()
    .get('/openapi.json', (_request, reply) => {
      text ??= JSON.stringify(openApiDocument(app));
      reply.type('application/json').send(text);
    });
}

type JsonSchema = Record<string, unknown>;

/** Schemas with an id become components; zod refers to those within another as `#/$defs/…`, which Nest moves there. */
function convert(
  schema: unknown,
  { schemaType }: { schemaType: 'input' | 'output' },
): { schema: unknown; components?: Record<string, JsonSchema> } | undefined {
  if (!(schema instanceof z.ZodType)) return undefined;
  const { $defs, ...own } = jsonSchema(schema, schemaType);
  const components = { ...($defs as Record<string, JsonSchema> | undefined) };
  if (typeof own.id !== 'string') return { schema: own, components };
  return { schema: { $ref: `#/components/schemas/${own.id}` }, components: { ...components, [own.id]: own } };
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io,
    unrepresentable: 'any',
  });
  return rest as JsonSchema;
}
