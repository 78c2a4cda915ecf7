import { Controller, Get, Header, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { Caller, RequireScope } from '#common/http/api-key.guard.js';
import { ApiAnswer } from '../shared/api-answer.js';
import type { Page } from '../shared/paging.js';
import { idSchema } from '../shared/request-schemas.js';
import { EventQueries } from './event.queries.js';
import {
  type EventFilter,
  eventListQuery,
  eventPageSchema,
  eventSchema,
  type ListedEvent,
  tenantQuery,
} from './event-schemas.js';

@ApiTags('events')
@RequireScope('read')
@Controller('v1/events')
export class EventsController {
  constructor(private readonly events: EventQueries) {}

  @Get()
  @ApiOperation({ summary: 'List events, newest first' })
  @ApiAnswer(200, eventPageSchema, { problems: ['BODY_INVALID'] })
  list(
    @Caller() caller: AuthenticatedKey,
    @Query({ schema: eventListQuery }) filter: EventFilter,
  ): Promise<Page<ListedEvent>> {
    return this.events.list(caller, filter);
  }

  @Get(':id')
  @Header('content-type', 'application/json; charset=utf-8')
  @ApiOperation({ summary: 'An event, with its data' })
  @ApiAnswer(200, eventSchema, { problems: ['NOT_FOUND', 'CONFLICT'] })
  get(
    @Caller() caller: AuthenticatedKey,
    @Param('id', { schema: idSchema }) id: string,
    @Query({ schema: tenantQuery }) { tenant }: z.infer<typeof tenantQuery>,
  ): Promise<string> {
    return this.events.get(caller, id, tenant);
  }
}
