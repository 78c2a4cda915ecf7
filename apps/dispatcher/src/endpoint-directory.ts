import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { type SigningKey, signingKey } from '#common/domain/signature.js';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { CompactedTable } from '#common/kafka/compacted-table.js';
import { KAFKA_SETTINGS, type KafkaSettings } from '#common/kafka/settings.js';
import { Health } from '#common/observability/health.js';
import { type EndpointRecord, endpointRecordSchema } from '#common/records/endpoint-record.js';
import { isMarker } from '#common/records/generation-record.js';
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

/** Tombstones remembered, so that a delivery of a deleted endpoint need not wait for a configuration that never comes. */
const MAX_TOMBSTONES = 10_000;

/** Every endpoint's current configuration, in memory, from the compacted `endpoints` topic. */
@Injectable()
export class EndpointDirectory implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(EndpointDirectory.name);
  private readonly endpoints = new Map<string, Endpoint>();
  private readonly deleted = new Set<string>();
  private readonly unreadable = new Set<string>();
  private readonly halfOpenIds = new Set<string>();
  private readonly listeners: Listener[] = [];
  private readonly table: CompactedTable;
  private readonly started = Promise.withResolvers<void>();

  constructor(
    @Inject(KAFKA_SETTINGS) private readonly settings: KafkaSettings,
    @Inject(Sealer) private readonly sealer: Sealer,
    @Inject(Health) health: Health,
    @Inject(GenerationMarkers) markers: GenerationMarkers,
  ) {
    const apply = (id: string, value: Buffer | null) =>
      isMarker(id) ? markers.apply(id, value) : this.apply(id, value);
    this.table = new CompactedTable(settings, { topic: ENDPOINTS_TOPIC, apply });
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

  /** The topic has a record of this endpoint, be it of use or not. */
  hasSeen(id: string): boolean {
    return this.endpoints.has(id) || this.deleted.has(id) || this.unreadable.has(id);
  }

  wasDeleted(id: string): boolean {
    return this.deleted.has(id);
  }

  /** Endpoints whose breaker waits for a probe. */
  halfOpen(): Iterable<string> {
    return this.halfOpenIds;
  }

  /** @param listener called after an endpoint changed, came or went */
  onChange(listener: Listener): void {
    this.listeners.push(listener);
  }

  private apply(id: string, value: Buffer | null): void {
    if (value === null) {
      this.endpoints.delete(id);
      this.unreadable.delete(id);
      this.halfOpenIds.delete(id);
      if (this.deleted.size < MAX_TOMBSTONES) this.deleted.add(id);
    } else {
      const endpoint = this.read(id, value);
      if (endpoint === undefined) {
        this.unreadable.add(id);
        return;
      }
      // A relay that was cut off may publish an older state after a newer one.
      if (endpoint.record.version < (this.endpoints.get(id)?.record.version ?? 0)) return;
      this.endpoints.set(id, endpoint);
      this.deleted.delete(id);
      this.unreadable.delete(id);
      if (endpoint.record.breaker === 'half_open') this.halfOpenIds.add(id);
      else this.halfOpenIds.delete(id);
    }
    for (const listener of this.listeners) listener(id);
  }

  private read(id: string, value: Buffer): Endpoint | undefined {
    try {
      const record = endpointRecordSchema.parse(JSON.parse(value.toString()));
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
      const reason = error instanceof SealingError ? error.message : 'the record is malformed';
      this.logger.error({ endpoint_id: id, reason }, 'endpoint.unreadable');
      return undefined;
    }
  }
}
