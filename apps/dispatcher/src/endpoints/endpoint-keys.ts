import { Logger } from '@nestjs/common';
import { MissingKeys } from '#common/security/missing-keys.js';
import type { Sealer } from '#common/security/sealing.js';
import type { DispatchedEndpoint } from './packed-endpoints.js';
import { type KeyUse, keyUseOf } from './unsealed-endpoint.js';

/**
 * The keys that endpoints' secrets are sealed under, and the endpoints whose deliveries wait for a missing one
 * (docs/adr/0021-missing-keys-wait-and-dead-letters-are-signed.md).
 */
export class EndpointKeys {
  private readonly logger = new Logger(EndpointKeys.name);
  private readonly keys: MissingKeys;
  /** Endpoints with a missing key: when their next secret expires, ms since the epoch. */
  private readonly expiries = new Map<string, number>();
  /** Ids of the missing keys that were logged last, as text. */
  private loggedKeys = '';
  private readonly found = Promise.withResolvers<void>();

  constructor(private readonly sealer: Sealer) {
    this.keys = new MissingKeys(sealer);
  }

  /** How many endpoints have a secret that does not open. */
  get size(): number {
    return this.keys.size;
  }

  /** Resolves when {@link check} finds every key that a process must not start without. */
  get complete(): Promise<void> {
    return this.found.promise;
  }

  /** For readiness. */
  problem(): string | undefined {
    return this.keys.problem();
  }

  /**
   * Notes which keys a new record needs. Opens its texts only under keys that have opened nothing yet.
   *
   * @throws SealingError when a sealed text is malformed
   */
  inspect(record: DispatchedEndpoint, nowMs: number): void {
    this.note(
      record,
      keyUseOf(record, this.sealer, (keyId) => this.keys.hasOpened(keyId), nowMs),
      nowMs,
    );
  }

  /** Notes which keys opened the texts of a record. */
  note({ id, secrets }: DispatchedEndpoint, use: KeyUse, nowMs: number): void {
    this.keys.note(id, use);
    this.expiries.delete(id);
    if (use.missing.length === 0) return;
    const later = secrets.flatMap(({ expires_at }) => (expires_at !== null && expires_at > nowMs ? [expires_at] : []));
    if (later.length > 0) this.expiries.set(id, Math.min(...later));
  }

  forget(endpointId: string): void {
    this.keys.forget(endpointId);
    this.expiries.delete(endpointId);
  }

  /** Endpoints with a missing key whose secrets should be opened again: the one that does not open may have expired. */
  expired(nowMs: number): string[] {
    return [...this.expiries].filter(([, expiry]) => expiry <= nowMs).map(([id]) => id);
  }

  /** Logs when other keys are missing than before. Deliveries that need one wait until an operator adds the key. */
  check(): void {
    const keyIds = this.keys.keyIds();
    if (keyIds.join() !== this.loggedKeys) {
      this.loggedKeys = keyIds.join();
      const problem = this.keys.problem();
      if (problem === undefined) this.logger.log('secret_keys.found');
      else this.logger.error({ key_ids: keyIds, problem }, 'secret_keys.missing');
    }
    if (this.keys.lacking().length === 0) this.found.resolve();
  }
}
