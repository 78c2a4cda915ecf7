import { Inject, Injectable } from '@nestjs/common';
import type { OutRecord } from '#common/records/record.js';
import { RecordSigner } from '#common/security/record-signature.js';
import { CONTROL_CONFIG } from '../shared/control-config.js';

/** Options of {@link ConfigurationSigner}. */
export interface SigningConfig {
  readonly CONFIG_SIGNING_KEY?: string | undefined;
}

/** Signs records of configuration, where `CONFIG_SIGNING_KEY` is set. */
@Injectable()
export class ConfigurationSigner {
  private readonly signer: RecordSigner | undefined;

  constructor(@Inject(CONTROL_CONFIG) { CONFIG_SIGNING_KEY: key }: SigningConfig) {
    this.signer = key === undefined ? undefined : new RecordSigner(key);
  }

  get isSigning(): boolean {
    return this.signer !== undefined;
  }

  async sign(records: readonly OutRecord[]): Promise<readonly OutRecord[]> {
    const { signer } = this;
    return signer === undefined ? records : signer.signAll(records);
  }
}
