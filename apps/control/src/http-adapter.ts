import { FastifyAdapter } from '@nestjs/platform-fastify';
import { refuseOtherMethods } from '#common/http/other-methods.js';

/** A lane's id holds a resource id of up to 256 characters, in UTF-8 and base64; Fastify's default is 100. */
const MAX_PARAMETER_LENGTH = 2_048;

export function createHttpAdapter(): FastifyAdapter {
  const adapter = new FastifyAdapter({ routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH } });
  refuseOtherMethods(adapter.getInstance());
  return adapter;
}
