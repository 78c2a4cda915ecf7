import { FastifyAdapter } from '@nestjs/platform-fastify';

/** A lane's id holds a resource id of up to 256 characters, in UTF-8 and base64; Fastify's default is 100. */
const MAX_PARAMETER_LENGTH = 2_048;

export function createHttpAdapter(): FastifyAdapter {
  return new FastifyAdapter({ routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH } });
}
