import { Module } from '@nestjs/common';
import { SchemaModule } from '../schema/schema.module.js';
import { LaneQueries } from './lane.queries.js';
import { LaneSkips } from './lane-skips.js';
import { LanesController } from './lanes.controller.js';
import { ParkingGauges } from './parking-gauges.js';

@Module({
  imports: [SchemaModule],
  controllers: [LanesController],
  providers: [LaneQueries, LaneSkips, ParkingGauges],
})
export class LanesModule {}
