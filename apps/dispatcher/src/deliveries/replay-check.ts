import { Inject, Injectable } from '@nestjs/common';
import { DEAD_HEADERS } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER } from '#common/records/delivery-record.js';
import type { InRecord } from '#common/records/record.js';
import { DeadLetterSigner, macKeyId } from '#common/security/dead-letter-signer.js';
import * as metrics from './metrics.js';

/** DI token of {@link ReplayLimits}. */
export const REPLAY_LIMITS = Symbol('ReplayLimits');

export interface ReplayLimits {
  /** A dead letter without a MAC is refused. False for one release, which meets dead letters of the one before. */
  readonly requiresMac: boolean;
}

/**
 * Decides whether a record with the headers of a dead letter was one. Any producer of `ingest` can write such a record
 * for any endpoint of any tenant. Only this system can make its MAC.
 */
@Injectable()
export class ReplayCheck {
  constructor(
    private readonly signer: DeadLetterSigner,
    @Inject(REPLAY_LIMITS) private readonly limits: ReplayLimits,
  ) {}

  /** @returns why the record is refused, for people; undefined when it is a replay */
  problem({ key, value, headers }: InRecord): string | undefined {
    const { [DEAD_HEADERS.mac]: mac, [DELIVERY_HEADER]: packed } = headers;
    if (key === null || value === null || packed === undefined) return 'the dead letter is not whole';
    if (mac === undefined) {
      if (this.limits.requiresMac) return `the dead letter has no ${DEAD_HEADERS.mac} header`;
      metrics.unsignedReplays.inc();
      return undefined;
    }
    const verdict = this.signer.verify({ key, value, packed }, mac);
    if (verdict === 'valid') return undefined;
    if (verdict === 'wrong') return `the ${DEAD_HEADERS.mac} header does not match the record`;
    return `SECRET_KEYS does not name the key "${macKeyId(mac) ?? ''}" of the ${DEAD_HEADERS.mac} header`;
  }
}
