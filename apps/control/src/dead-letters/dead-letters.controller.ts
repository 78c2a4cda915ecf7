import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { Caller, RequireScope } from '#common/http/api-key.guard.js';
import { retriedSchema } from '../replays/replay-schemas.js';
import { ApiAnswer } from '../shared/api-answer.js';
import type { Page } from '../shared/paging.js';
import { idSchema } from '../shared/request-schemas.js';
import { DeadLetterQueries } from './dead-letter.queries.js';
import { DeadLetterReplays } from './dead-letter-replays.js';
import {
  type DeadLetterFilter,
  type DeadLetterStats,
  type DetailedDeadLetter,
  deadLetterListQuery,
  deadLetterPageSchema,
  deadLetterStatsQuery,
  deadLetterStatsSchema,
  detailedDeadLetterSchema,
  type ShownDeadLetter,
} from './dead-letter-schemas.js';

@ApiTags('dead letters')
@Controller('v1/dead-letters')
export class DeadLettersController {
  constructor(
    private readonly deadLetters: DeadLetterQueries,
    private readonly replays: DeadLetterReplays,
  ) {}

  @Get()
  @RequireScope('read')
  @ApiOperation({ summary: 'List dead letters, newest first' })
  @ApiAnswer(200, deadLetterPageSchema, { problems: ['BODY_INVALID'] })
  list(
    @Caller() caller: AuthenticatedKey,
    @Query({ schema: deadLetterListQuery }) filter: DeadLetterFilter,
  ): Promise<Page<ShownDeadLetter>> {
    return this.deadLetters.list(caller, filter);
  }

  @Get('stats')
  @RequireScope('read')
  @ApiOperation({ summary: 'Count dead letters by reason' })
  @ApiAnswer(200, deadLetterStatsSchema, { problems: ['BODY_INVALID'] })
  stats(
    @Caller() caller: AuthenticatedKey,
    @Query({ schema: deadLetterStatsQuery }) filter: z.infer<typeof deadLetterStatsQuery>,
  ): Promise<DeadLetterStats> {
    return this.deadLetters.stats(caller, filter);
  }

  @Get(':id')
  @RequireScope('read')
  @ApiOperation({ summary: 'A dead letter, with its record as it was' })
  @ApiAnswer(200, detailedDeadLetterSchema, { problems: ['NOT_FOUND'] })
  get(@Caller() caller: AuthenticatedKey, @Param('id', { schema: idSchema }) id: string): Promise<DetailedDeadLetter> {
    return this.deadLetters.get(caller, id);
  }

  @Post(':id/replay')
  @HttpCode(202)
  @RequireScope('write')
  @ApiOperation({ summary: 'Send what a dead letter holds to its endpoint again' })
  @ApiAnswer(202, retriedSchema, { problems: ['NOT_FOUND', 'CONFLICT'] })
  replay(
    @Caller() caller: AuthenticatedKey,
    @Param('id', { schema: idSchema }) id: string,
  ): Promise<z.infer<typeof retriedSchema>> {
    return this.replays.replay(caller, id);
  }
}
