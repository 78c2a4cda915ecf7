import { Module } from '@nestjs/common';
import { type AddressPolicy, addressPolicy } from '#common/security/address-policy.js';
import { ChangesModule } from '../changes/changes.module.js';
import { SecretsModule } from '../secrets/secrets.module.js';
import { CONTROL_CONFIG } from '../shared/control-config.js';
import { EndpointsController } from './endpoints.controller.js';
import { ADDRESS_POLICY, EndpointsService } from './endpoints.service.js';
import { TestEvents } from './test-events.js';

/** Options of the {@link AddressPolicy}. */
export interface AddressConfig {
  readonly ALLOW_HTTP: boolean;
  readonly ALLOWED_ADDRESSES: readonly string[];
}

@Module({
  imports: [SecretsModule, ChangesModule],
  controllers: [EndpointsController],
  providers: [
    { provide: ADDRESS_POLICY, inject: [CONTROL_CONFIG], useFactory: policyOf },
    EndpointsService,
    TestEvents,
  ],
})
export class EndpointsModule {}

function policyOf({ ALLOW_HTTP, ALLOWED_ADDRESSES }: AddressConfig): AddressPolicy {
  return addressPolicy({ allowHttp: ALLOW_HTTP, allowedAddresses: ALLOWED_ADDRESSES });
}
