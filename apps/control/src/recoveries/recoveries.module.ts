import { Module } from '@nestjs/common';
import { ReplaysModule } from '../replays/replays.module.js';
import { SchemaModule } from '../schema/schema.module.js';
import { RecoveriesController } from './recoveries.controller.js';
import { RecoveriesService } from './recoveries.service.js';
import { RecoveryWorker } from './recovery-worker.js';

@Module({
  imports: [SchemaModule, ReplaysModule],
  controllers: [RecoveriesController],
  providers: [RecoveryWorker, RecoveriesService],
})
export class RecoveriesModule {}
