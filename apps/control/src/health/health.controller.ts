import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { Caller, RequireScope } from '#common/http/api-key.guard.js';
import { endpointSchema, type ShownEndpoint } from '../endpoints/endpoint-schemas.js';
import { ApiAnswer } from '../shared/api-answer.js';
import { idSchema } from '../shared/request-schemas.js';
import { HealthQueries } from './health.queries.js';
import { type EndpointHealth, endpointHealthSchema } from './health-schemas.js';
import { HoldsService } from './holds.service.js';

@ApiTags('endpoints')
@Controller('v1/endpoints')
export class EndpointHealthController {
  constructor(
    private readonly health: HealthQueries,
    private readonly holds: HoldsService,
  ) {}

  @Get(':id/health')
  @RequireScope('read')
  @ApiOperation({ summary: 'How the endpoint does: breaker, what is parked, the attempts of the last hour' })
  @ApiAnswer(200, endpointHealthSchema, { problems: ['NOT_FOUND'] })
  get(@Caller() caller: AuthenticatedKey, @Param('id', { schema: idSchema }) id: string): Promise<EndpointHealth> {
    return this.health.get(caller, id);
  }

  @Post(':id/pause')
  @HttpCode(200)
  @RequireScope('write')
  @ApiOperation({ summary: 'Send nothing to the endpoint; what comes for it is parked until it is resumed' })
  @ApiAnswer(200, endpointSchema, { problems: ['NOT_FOUND', 'CONFIGURATION_AHEAD'] })
  pause(@Caller() caller: AuthenticatedKey, @Param('id', { schema: idSchema }) id: string): Promise<ShownEndpoint> {
    return this.holds.pause(caller, id);
  }

  @Post(':id/resume')
  @HttpCode(200)
  @RequireScope('write')
  @ApiOperation({ summary: 'End a pause, close the breaker and enable the endpoint, whichever of them holds it' })
  @ApiAnswer(200, endpointSchema, { problems: ['NOT_FOUND', 'CONFIGURATION_AHEAD'] })
  resume(@Caller() caller: AuthenticatedKey, @Param('id', { schema: idSchema }) id: string): Promise<ShownEndpoint> {
    return this.holds.resume(caller, id);
  }
}
