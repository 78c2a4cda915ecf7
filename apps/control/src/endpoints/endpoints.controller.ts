import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { Caller, RequireScope } from '#common/http/api-key.guard.js';
import { ApiAnswer } from '../shared/api-answer.js';
import type { Page } from '../shared/paging.js';
import { idSchema } from '../shared/request-schemas.js';
import {
  type EndpointCreate,
  type EndpointPatch,
  endpointCreateSchema,
  endpointListQuery,
  endpointPageSchema,
  endpointPatchSchema,
  endpointSchema,
  endpointWithSecretSchema,
  rotateSchema,
  type ShownEndpoint,
  testResultSchema,
} from './endpoint-schemas.js';
import { EndpointsService } from './endpoints.service.js';
import { TestEvents } from './test-events.js';

@ApiTags('endpoints')
@Controller('v1/endpoints')
export class EndpointsController {
  constructor(
    private readonly endpoints: EndpointsService,
    private readonly testEvents: TestEvents,
  ) {}

  @Post()
  @RequireScope('write')
  @ApiOperation({ summary: 'Create an endpoint; its secret is shown this once' })
  @ApiAnswer(201, endpointWithSecretSchema, {
    problems: ['BODY_INVALID', 'URL_NOT_ALLOWED', 'SECRET_KEYS_WRONG', 'CONFIGURATION_AHEAD'],
  })
  create(
    @Caller() caller: AuthenticatedKey,
    @Body({ schema: endpointCreateSchema }) input: EndpointCreate,
  ): Promise<ShownEndpoint & { secret: string }> {
    return this.endpoints.create(caller, input);
  }

  @Get()
  @RequireScope('read')
  @ApiOperation({ summary: 'List endpoints, newest first' })
  @ApiAnswer(200, endpointPageSchema, { problems: ['BODY_INVALID'] })
  list(
    @Caller() caller: AuthenticatedKey,
    @Query({ schema: endpointListQuery }) query: z.infer<typeof endpointListQuery>,
  ): Promise<Page<ShownEndpoint>> {
    return this.endpoints.list(caller, query);
  }

  @Get(':id')
  @RequireScope('read')
  @ApiOperation({ summary: 'An endpoint' })
  @ApiAnswer(200, endpointSchema, { problems: ['NOT_FOUND'] })
  get(@Caller() caller: AuthenticatedKey, @Param('id', { schema: idSchema }) id: string): Promise<ShownEndpoint> {
    return this.endpoints.get(caller, id);
  }

  @Patch(':id')
  @RequireScope('write')
  @ApiOperation({ summary: 'Change what is named; the rest stays' })
  @ApiAnswer(200, endpointSchema, {
    problems: ['BODY_INVALID', 'NOT_FOUND', 'URL_NOT_ALLOWED', 'SECRET_KEYS_WRONG', 'CONFIGURATION_AHEAD'],
  })
  change(
    @Caller() caller: AuthenticatedKey,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: endpointPatchSchema }) patch: EndpointPatch,
  ): Promise<ShownEndpoint> {
    return this.endpoints.change(caller, id, patch);
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireScope('write')
  @ApiOperation({ summary: 'Delete an endpoint; what is still under way for it becomes dead letters' })
  @ApiAnswer(204, undefined, { problems: ['NOT_FOUND', 'CONFIGURATION_AHEAD'] })
  remove(@Caller() caller: AuthenticatedKey, @Param('id', { schema: idSchema }) id: string): Promise<void> {
    return this.endpoints.remove(caller, id);
  }

  @Post(':id/test')
  @HttpCode(202)
  @RequireScope('write')
  @ApiOperation({ summary: 'Send an endpoint a signed event of its own, whatever it subscribes to' })
  @ApiAnswer(202, testResultSchema, { problems: ['NOT_FOUND', 'CONFLICT'] })
  test(
    @Caller() caller: AuthenticatedKey,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<z.infer<typeof testResultSchema>> {
    return this.testEvents.send(caller, id);
  }

  @Post(':id/secret/rotate')
  @HttpCode(200)
  @RequireScope('write')
  @ApiOperation({ summary: 'Give an endpoint a new secret; the present one stays valid for the overlap' })
  @ApiBody({ required: false })
  @ApiAnswer(200, endpointWithSecretSchema, {
    problems: ['BODY_INVALID', 'NOT_FOUND', 'CONFLICT', 'SECRET_KEYS_WRONG', 'CONFIGURATION_AHEAD'],
  })
  rotate(
    @Caller() caller: AuthenticatedKey,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: rotateSchema }) { overlap_s }: z.infer<typeof rotateSchema>,
  ): Promise<ShownEndpoint & { secret: string }> {
    return this.endpoints.rotateSecret(caller, id, overlap_s);
  }
}
