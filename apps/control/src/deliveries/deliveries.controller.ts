import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { Caller, RequireScope } from '#common/http/api-key.guard.js';
import { retriedSchema } from '../replays/replay-schemas.js';
import { ApiAnswer } from '../shared/api-answer.js';
import type { Page } from '../shared/paging.js';
import { idSchema } from '../shared/request-schemas.js';
import { DeliveryQueries } from './delivery.queries.js';
import { DeliveryRetries } from './delivery-retries.js';
import {
  type DeliveryFilter,
  type DetailedDelivery,
  deliveryListQuery,
  deliveryPageSchema,
  detailedDeliverySchema,
  type ShownDelivery,
} from './delivery-schemas.js';

@ApiTags('deliveries')
@Controller('v1/deliveries')
export class DeliveriesController {
  constructor(
    private readonly deliveries: DeliveryQueries,
    private readonly retries: DeliveryRetries,
  ) {}

  @Get()
  @RequireScope('read')
  @ApiOperation({ summary: 'List deliveries, newest first' })
  @ApiAnswer(200, deliveryPageSchema, { problems: ['BODY_INVALID'] })
  list(
    @Caller() caller: AuthenticatedKey,
    @Query({ schema: deliveryListQuery }) filter: DeliveryFilter,
  ): Promise<Page<ShownDelivery>> {
    return this.deliveries.list(caller, filter);
  }

  @Get(':id')
  @RequireScope('read')
  @ApiOperation({ summary: 'A delivery, with every attempt in detail' })
  @ApiAnswer(200, detailedDeliverySchema, { problems: ['NOT_FOUND'] })
  get(@Caller() caller: AuthenticatedKey, @Param('id', { schema: idSchema }) id: string): Promise<DetailedDelivery> {
    return this.deliveries.get(caller, id);
  }

  @Post(':id/retry')
  @HttpCode(202)
  @RequireScope('write')
  @ApiOperation({ summary: 'Send a delivery again that is over, dead or delivered' })
  @ApiAnswer(202, retriedSchema, { problems: ['NOT_FOUND', 'CONFLICT'] })
  retry(
    @Caller() caller: AuthenticatedKey,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<z.infer<typeof retriedSchema>> {
    return this.retries.retry(caller, id);
  }
}
