import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import type { AuthenticatedKey } from '#common/api-keys/api-key.js';
import { Caller, RequireScope } from '#common/http/api-key.guard.js';
import { ApiAnswer } from '../shared/api-answer.js';
import type { Page } from '../shared/paging.js';
import { idSchema } from '../shared/request-schemas.js';
import {
  type ApiKeyCreate,
  apiKeyCreateSchema,
  apiKeyListQuery,
  apiKeyPageSchema,
  apiKeyWithTextSchema,
  type ShownApiKey,
} from './api-key-schemas.js';
import { ApiKeysService } from './api-keys.service.js';

@ApiTags('api-keys')
@RequireScope('admin')
@Controller('v1/api-keys')
export class ApiKeysController {
  constructor(private readonly apiKeys: ApiKeysService) {}

  @Post()
  @ApiOperation({ summary: 'Create an API key; its text is shown this once' })
  @ApiAnswer(201, apiKeyWithTextSchema, { problems: ['BODY_INVALID', 'CONFLICT', 'CONFIGURATION_AHEAD'] })
  create(
    @Caller() caller: AuthenticatedKey,
    @Body({ schema: apiKeyCreateSchema }) input: ApiKeyCreate,
  ): Promise<ShownApiKey & { key: string }> {
    return this.apiKeys.create(caller, input);
  }

  @Get()
  @ApiOperation({ summary: 'List API keys, newest first' })
  @ApiAnswer(200, apiKeyPageSchema, { problems: ['BODY_INVALID'] })
  list(
    @Caller() caller: AuthenticatedKey,
    @Query({ schema: apiKeyListQuery }) query: z.infer<typeof apiKeyListQuery>,
  ): Promise<Page<ShownApiKey>> {
    return this.apiKeys.list(caller, query);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Revoke an API key' })
  @ApiAnswer(204, undefined, { problems: ['NOT_FOUND', 'CONFLICT', 'CONFIGURATION_AHEAD'] })
  revoke(@Caller() caller: AuthenticatedKey, @Param('id', { schema: idSchema }) id: string): Promise<void> {
    return this.apiKeys.revoke(caller, id);
  }
}
