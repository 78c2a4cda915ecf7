import { Module } from '@nestjs/common';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import { CONTROL_CONFIG } from '../shared/control-config.js';
import { ReplayRecords } from './replay-records.js';

/** Options of the signer of dead letters. */
export interface ReplayConfig {
  readonly SECRET_KEYS: string;
}

/** Providers of replays, for the features that offer them. */
@Module({
  providers: [
    {
      provide: DeadLetterSigner,
      inject: [CONTROL_CONFIG],
      useFactory: ({ SECRET_KEYS }: ReplayConfig) => new DeadLetterSigner(SECRET_KEYS),
    },
    ReplayRecords,
  ],
  exports: [ReplayRecords],
})
export class ReplaysModule {}
