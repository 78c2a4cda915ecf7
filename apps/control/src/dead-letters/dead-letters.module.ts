import { Module } from '@nestjs/common';
import { ReplaysModule } from '../replays/replays.module.js';
import { DeadLetterQueries } from './dead-letter.queries.js';
import { DeadLetterReplays } from './dead-letter-replays.js';
import { DeadLettersController } from './dead-letters.controller.js';

@Module({
  imports: [ReplaysModule],
  controllers: [DeadLettersController],
  providers: [DeadLetterQueries, DeadLetterReplays],
})
export class DeadLettersModule {}
