import { Module } from '@nestjs/common';
import { Sealer } from '#common/security/sealing.js';
import { SchemaModule } from '../schema/schema.module.js';
import { CONTROL_CONFIG } from '../shared/control-config.js';
import { SealingKeys } from './sealing-keys.js';

/** Options of the sealer. */
export interface SealingConfig {
  readonly SECRET_KEYS: string;
}

@Module({
  imports: [SchemaModule],
  providers: [
    {
      provide: Sealer,
      inject: [CONTROL_CONFIG],
      useFactory: ({ SECRET_KEYS }: SealingConfig) => new Sealer(SECRET_KEYS),
    },
    SealingKeys,
  ],
  exports: [SealingKeys],
})
export class SecretsModule {}
