import { Module } from '@nestjs/common';
import { ReplaysModule } from '../replays/replays.module.js';
import { DeliveriesController } from './deliveries.controller.js';
import { DeliveryQueries } from './delivery.queries.js';
import { DeliveryRetries } from './delivery-retries.js';

@Module({
  imports: [ReplaysModule],
  controllers: [DeliveriesController],
  providers: [DeliveryQueries, DeliveryRetries],
})
export class DeliveriesModule {}
