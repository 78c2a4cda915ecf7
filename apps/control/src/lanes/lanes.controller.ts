import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { Caller, RequireScope } from '#common/http/api-key.guard.js';
import { ApiAnswer } from '../shared/api-answer.js';
import type { Page } from '../shared/paging.js';
import { LaneQueries } from './lane.queries.js';
import {
  type LaneFilter,
  laneIdSchema,
  laneListQuery,
  lanePageSchema,
  type ShownLane,
  type Skipped,
  skippedSchema,
} from './lane-schemas.js';
import { LaneSkips } from './lane-skips.js';

@ApiTags('lanes')
@Controller('v1/lanes')
export class LanesController {
  constructor(
    private readonly lanes: LaneQueries,
    private readonly skips: LaneSkips,
  ) {}

  @Get()
  @RequireScope('read')
  @ApiOperation({ summary: 'Lanes of an endpoint whose deliveries wait, by name' })
  @ApiAnswer(200, lanePageSchema, { problems: ['BODY_INVALID', 'NOT_FOUND'] })
  list(
    @Caller() caller: AuthenticatedKey,
    @Query({ schema: laneListQuery }) filter: LaneFilter,
  ): Promise<Page<ShownLane>> {
    return this.lanes.list(caller, filter);
  }

  @Post(':id/skip')
  @HttpCode(202)
  @RequireScope('write')
  @ApiOperation({
    summary: "Give up the delivery a lane waits for: its dead letter can be replayed, behind the lane's others",
  })
  @ApiAnswer(202, skippedSchema, { problems: ['NOT_FOUND', 'CONFLICT'] })
  skip(@Caller() caller: AuthenticatedKey, @Param('id', { schema: laneIdSchema }) id: string): Promise<Skipped> {
    return this.skips.skip(caller, id);
  }
}
