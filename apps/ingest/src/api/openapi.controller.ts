import { Controller, Get } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { openApiDocument } from './openapi.js';

/** The description of this API; needs no key. */
@ApiExcludeController()
@Controller('openapi.json')
export class OpenApiController {
  @Get()
  document(): object {
    return openApiDocument;
  }
}
