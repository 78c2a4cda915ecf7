import { Controller, Get } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { openApiDocument } from './openapi.js';

/** Serves the OpenAPI document of this API; the route needs no key. */
@ApiExcludeController()
@Controller('openapi.json')
export class OpenApiController {
  @Get()
  document(): object {
    return openApiDocument;
  }
}
