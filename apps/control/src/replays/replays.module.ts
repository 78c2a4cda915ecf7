import { Module } from '@nestjs/common';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import { CONTROL_CONFIG } from '../shared/control-config.js';

/** What the signer of dead letters reads of the configuration. */
export interface ReplayConfig {
  readonly SECRET_KEYS: string;
}

/** What a replay needs, whichever feature asks for it. */
@Module({
  providers: [
    {
      provide: DeadLetterSigner,
      inject: [CONTROL_CONFIG],
      useFactory: ({ SECRET_KEYS }: ReplayConfig) => new DeadLetterSigner(SECRET_KEYS),
    },
  ],
  exports: [DeadLetterSigner],
})
export class ReplaysModule {}
