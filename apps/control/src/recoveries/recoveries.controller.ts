import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { Caller, RequireScope } from '#common/http/api-key.guard.js';
import { ApiAnswer } from '../shared/api-answer.js';
import type { Page } from '../shared/paging.js';
import { idSchema } from '../shared/request-schemas.js';
import { RecoveriesService } from './recoveries.service.js';
import {
  type BulkReplayRequest,
  bulkReplaySchema,
  type RecoverRequest,
  type RecoveryFilter,
  recoverSchema,
  recoveryListQuery,
  recoveryPageSchema,
  recoverySchema,
  type ShownRecovery,
} from './recovery-schemas.js';

@ApiTags('recoveries')
@Controller('v1')
export class RecoveriesController {
  constructor(private readonly recoveries: RecoveriesService) {}

  @Post('endpoints/:id/recover')
  @HttpCode(202)
  @RequireScope('write')
  @ApiOperation({
    summary: 'Send an endpoint what it failed to take, or all it should have got, since a moment, in order',
  })
  @ApiAnswer(202, recoverySchema, { problems: ['BODY_INVALID', 'NOT_FOUND', 'CONFLICT'] })
  recover(
    @Caller() caller: AuthenticatedKey,
    @Param('id', { schema: idSchema }) id: string,
    @Body({ schema: recoverSchema }) request: RecoverRequest,
  ): Promise<ShownRecovery> {
    return this.recoveries.recover(caller, id, request);
  }

  @Post('dead-letters/replay')
  @HttpCode(202)
  @RequireScope('write')
  @ApiOperation({ summary: 'Replay all dead letters that match and were not replayed yet, in order' })
  @ApiAnswer(202, recoverySchema, { problems: ['BODY_INVALID'] })
  replay(
    @Caller() caller: AuthenticatedKey,
    @Body({ schema: bulkReplaySchema }) request: BulkReplayRequest,
  ): Promise<ShownRecovery> {
    return this.recoveries.replayDeadLetters(caller, request);
  }

  @Get('recoveries')
  @RequireScope('read')
  @ApiOperation({ summary: 'List recoveries and bulk replays, newest first' })
  @ApiAnswer(200, recoveryPageSchema, { problems: ['BODY_INVALID'] })
  list(
    @Caller() caller: AuthenticatedKey,
    @Query({ schema: recoveryListQuery }) filter: RecoveryFilter,
  ): Promise<Page<ShownRecovery>> {
    return this.recoveries.list(caller, filter);
  }

  @Get('recoveries/:id')
  @RequireScope('read')
  @ApiOperation({ summary: 'How far a recovery or bulk replay is' })
  @ApiAnswer(200, recoverySchema, { problems: ['NOT_FOUND'] })
  get(@Caller() caller: AuthenticatedKey, @Param('id', { schema: idSchema }) id: string): Promise<ShownRecovery> {
    return this.recoveries.get(caller, id);
  }

  @Post('recoveries/:id/cancel')
  @HttpCode(200)
  @RequireScope('write')
  @ApiOperation({ summary: 'End a recovery or bulk replay; what was sent stays sent' })
  @ApiAnswer(200, recoverySchema, { problems: ['NOT_FOUND', 'CONFLICT'] })
  cancel(@Caller() caller: AuthenticatedKey, @Param('id', { schema: idSchema }) id: string): Promise<ShownRecovery> {
    return this.recoveries.cancel(caller, id);
  }
}
