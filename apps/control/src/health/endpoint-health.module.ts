import { Module } from '@nestjs/common';
import { ChangesModule } from '../changes/changes.module.js';
import { SchemaModule } from '../schema/schema.module.js';
import { CoolDowns } from './cool-downs.js';
import { EndpointHealthController } from './health.controller.js';
import { HealthQueries } from './health.queries.js';
import { HoldsService } from './holds.service.js';

@Module({
  imports: [SchemaModule, ChangesModule],
  controllers: [EndpointHealthController],
  providers: [HealthQueries, HoldsService, CoolDowns],
})
export class EndpointHealthModule {}
