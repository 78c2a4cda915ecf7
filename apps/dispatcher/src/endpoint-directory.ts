import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Deletions } from '#common/collections/deletions.js';
import { type SigningKey, signingKey } from '#common/domain/signature.js';
import { type ConfigurationRecord, ConfigurationTable } from '#common/kafka/configuration-table.js';
import { KAFKA_SETTINGS, type KafkaSettings } from '#common/kafka/settings.js';
import { Health } from '#common/observability/health.js';
import { type EndpointRecord, endpointRecordOf } from '#common/records/endpoint-record.js';
import { ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { Sealer, SealingError, sealingContext } from '#common/security/sealing.js';

/** An endpoint with its secrets opened, ready to send to. */
export interface Endpoint {
  readonly record: EndpointRecord;
  /** Newest first. `expiresAt` in ms since the epoch. */
  readonly keys: readonly { readonly key: SigningKey; readonly expiresAt: number | undefined }[];
  readonly staticHeaders: Readonly<Record<string, string>>;
}

type Listener = (endpointId: string) => void;

/**
 * Deleted endpoints that are remembered: a delivery of one need not wait for a configuration that never comes, and an older
 * record cannot bring one back.
 */
const MAX_DELETIONS = 100_000;

/** Every endpoint's current configuration, in memory, from the compacted `endpoints` topic. */
@Injectable()
export class EndpointDirectory implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(EndpointDirectory.name);
  private readonly endpoints = new Map<string, Endpoint>();
  private readonly deletions = new Deletions(MAX_DELETIONS);
  private readonly halfOpenIds = new Set<string>();
  private readonly listeners: Listener[] = [];
  private readonly table: ConfigurationTable;
  private readonly started = Promise.withResolvers<void>();

  constructor(
    @Inject(KAFKA_SETTINGS) private readonly settings: KafkaSettings,
    @Inject(Sealer) private readonly sealer: Sealer,
    @Inject(Health) health: Health,
  ) {
    const apply = (record: ConfigurationRecord) => this.apply(record);
    this.table = new ConfigurationTable(settings, { topic: ENDPOINTS_TOPIC, apply });
    health.addReadiness({
      name: 'endpoints',
      problem: () => (this.table.isCaughtUp ? undefined : 'the endpoint table is not caught up'),
    });
  }

  onModuleInit(): void {
    this.table.start().then(this.started.resolve, this.settings.onFatal);
  }

  /** Resolves when every endpoint is known; nothing is sent before. */
  get caughtUp(): Promise<void> {
    return this.started.promise;
  }

  async onModuleDestroy(): Promise<void> {
    await this.table.stop();
  }

  find(id: string): Endpoint | undefined {
    return this.endpoints.get(id);
  }

  wasDeleted(id: string): boolean {
    return this.deletions.has(id);
  }

  /** Endpoints whose breaker waits for a probe. */
  halfOpen(): Iterable<string> {
    return this.halfOpenIds;
  }

  /** @param listener called after an endpoint changed, came or went */
  onChange(listener: Listener): void {
    this.listeners.push(listener);
  }

  /** @throws when the value is not understood; the last configuration that was understood stays */
  private apply({ key: id, value, change }: ConfigurationRecord): void {
    const known = this.endpoints.get(id)?.record.version ?? 0;
    if (value === null) {
      if (change !== undefined && change.version < known) return;
      this.endpoints.delete(id);
      this.halfOpenIds.delete(id);
      this.deletions.add(id, change?.version);
    } else {
      const record = endpointRecordOf(id, value);
      // A relay that was cut off may publish an older state after a newer one.
      if (record.version < known || this.deletions.covers(id, record.version)) return;
      const endpoint = this.open(id, record);
      if (endpoint === undefined) return;
      this.endpoints.set(id, endpoint);
      this.deletions.remove(id);
      if (endpoint.record.breaker === 'half_open') this.halfOpenIds.add(id);
      else this.halfOpenIds.delete(id);
    }
    for (const listener of this.listeners) listener(id);
  }

  private open(id: string, record: EndpointRecord): Endpoint | undefined {
    try {
      const context = (purpose: 'secret' | 'headers') => sealingContext(record.tenant, id, purpose);
      const keys = record.secrets.map(({ sealed, expires_at }) => ({
        key: signingKey(this.sealer.open(sealed, context('secret'))),
        expiresAt: expires_at ?? undefined,
      }));
      const headers = record.headers_sealed;
      const staticHeaders = headers === null ? '{}' : this.sealer.open(headers, context('headers')).toString();
      return { record, keys, staticHeaders: JSON.parse(staticHeaders) as Record<string, string> };
    } catch (error) {
      // Without its secrets an endpoint cannot be sent to. A missing key is an operator's mistake: say so, keep the rest going.
      const reason = error instanceof SealingError ? error.message : 'its secrets or headers are malformed';
      this.logger.error({ endpoint_id: id, reason }, 'endpoint.unreadable');
      return undefined;
    }
  }
}
