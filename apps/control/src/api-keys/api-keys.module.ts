import { Module } from '@nestjs/common';
import { ChangesModule } from '../changes/changes.module.js';
import { SchemaModule } from '../schema/schema.module.js';
import { AdminKey } from './admin-key.js';
import { ApiKeysController } from './api-keys.controller.js';
import { ApiKeysService } from './api-keys.service.js';

@Module({
  imports: [SchemaModule, ChangesModule],
  controllers: [ApiKeysController],
  providers: [ApiKeysService, AdminKey],
})
export class ApiKeysModule {}
