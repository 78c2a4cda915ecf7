import { Inject, Injectable } from '@nestjs/common';
import { SchemaState } from '../schema/schema-state.js';
import { CONTROL_CONFIG } from '../shared/control-config.js';
import { ApiKeysService } from './api-keys.service.js';

/** Options of {@link AdminKey}. */
export interface AdminKeyConfig {
  readonly ADMIN_API_KEY?: string | undefined;
}

/** Creates the configured admin key, where it is missing, before the app is ready. */
@Injectable()
export class AdminKey {
  constructor(
    @Inject(CONTROL_CONFIG) { ADMIN_API_KEY: text }: AdminKeyConfig,
    schema: SchemaState,
    apiKeys: ApiKeysService,
  ) {
    if (text !== undefined) schema.beforeReady(() => apiKeys.ensureAdminKey(text));
  }
}
