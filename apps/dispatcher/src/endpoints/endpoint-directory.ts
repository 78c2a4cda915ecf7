import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Deletions } from '#common/collections/deletions.js';
import { WeightedRecentMap } from '#common/collections/weighted-recent-map.js';

import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { type ConfigurationRecord, ConfigurationTable } from '#common/kafka/configuration-table.js';
import { KAFKA_CLIENT, type KafkaClient } from '#common/kafka/port/kafka-client.js';
import { Health } from '#common/observability/health.js';
import { type EndpointRecord, readEndpoint } from '#common/records/endpoint-record.js';
import { MAX_VERSION } from '#common/records/limits.js';
import { ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { Sealer, SealingError } from '#common/security/sealing.js';
import { EndpointKeys } from './endpoint-keys.js';
import { exposeEndpoints, exposeKeyMissing, exposeOpenEndpoints, openedEndpoints } from './metrics.js';
import { type DispatchedEndpoint, PackedEndpoints } from './packed-endpoints.js';
import { type Endpoint, unsealed } from './unsealed-endpoint.js';

type Listener = (endpointId: string) => void;

/** DI token of {@link DirectoryLimits}. */
export const DIRECTORY_LIMITS = Symbol('DirectoryLimits');

export interface DirectoryLimits {
  /** Estimated bytes of the endpoints whose secrets are open. */
  readonly openBytes: number;
}

/**
 * Deleted endpoints that are remembered: their deliveries do not wait for a configuration, and an older record cannot
 * restore them.
 */
const MAX_DELETIONS = 100_000;
/** A secret that does not open may expire; then its key is no longer needed. */
const REOPEN_INTERVAL_MS = 1_000;
/** Bytes of an open endpoint (measured), in addition to twice its text. */
const OPEN_BYTES = 1_500;

/**
 * Every endpoint's current configuration, from the compacted `endpoints` topic. At rest an endpoint is a short text. Its secrets are
 * opened at its first use, and stay open while they are among those used last
 * (docs/adr/0036-an-endpoint-at-rest-is-a-text.md).
 */
@Injectable()
export class EndpointDirectory implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(EndpointDirectory.name);
  private readonly packed = new PackedEndpoints();
  private readonly open: WeightedRecentMap<Endpoint>;
  private readonly deletions = new Deletions(MAX_DELETIONS, MAX_VERSION);
  private readonly halfOpenIds = new Set<string>();
  private readonly listeners: Listener[] = [];
  private readonly table: ConfigurationTable;
  private readonly keys: EndpointKeys;
  private reopening: NodeJS.Timeout | undefined;

  constructor(
    @Inject(KAFKA_CLIENT) private readonly kafka: KafkaClient,
    private readonly sealer: Sealer,
    health: Health,
    markers: GenerationMarkers,
    @Inject(DIRECTORY_LIMITS) limits: DirectoryLimits,
  ) {
    this.open = new WeightedRecentMap(limits.openBytes);
    this.keys = new EndpointKeys(sealer);
    this.table = new ConfigurationTable(kafka, {
      topic: ENDPOINTS_TOPIC,
      apply: (record) => this.apply(record),
      onOtherMarker: (key, value) => markers.apply(key, value),
    });
    health.addReadiness({ name: 'endpoints', problem: () => this.table.completeProblem() });
    health.addReadiness({ name: 'secret_keys', problem: () => this.keys.problem() });
    exposeEndpoints(() => {
      const { size: known, policyCount: policies, textBytes } = this.packed;
      return { known, policies, textBytes };
    });
    exposeOpenEndpoints(() => ({ count: this.open.size, bytes: this.open.weight }));
    exposeKeyMissing(() => this.keys.size);
  }

  onModuleInit(): void {
    this.table.startComplete().then(() => this.keys.check(), this.kafka.settings.onFatal);
    this.reopening = setInterval(() => this.reopen(), REOPEN_INTERVAL_MS);
  }

  /** Resolves when every endpoint is known and every key that endpoints use is there. The group is not joined before. */
  get ready(): Promise<void> {
    return this.keys.complete;
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.reopening);
    await this.table.stop();
  }

  /** Opens the endpoint's secrets if they are not open. */
  find(id: string): Endpoint | undefined {
    const open = this.open.get(id);
    if (open !== undefined) return open;
    const record = this.packed.get(id);
    if (record === undefined) return undefined;
    const endpoint = this.unseal(record);
    // A damaged text is found now.
    this.checkKeys();
    return endpoint;
  }

  /** The endpoint's configuration. Opens no secret. */
  recordOf(id: string): DispatchedEndpoint | undefined {
    return this.open.get(id)?.record ?? this.packed.get(id);
  }

  /**
   * Resolves when the directory has every record that `endpoints` has by now. An endpoint that is still unknown then does not
   * exist: the router read its record before it wrote the delivery.
   *
   * @throws when Kafka does not answer, or the topic was made again and lacks control's marker
   */
  catchUp(): Promise<void> {
    return this.table.catchUpWhole();
  }

  wasDeleted(id: string): boolean {
    return this.deletions.has(id);
  }

  /** Endpoints whose breaker waits for a probe. */
  halfOpen(): Iterable<string> {
    return this.halfOpenIds;
  }

  /** @param listener called after an endpoint was created, changed or deleted */
  onChange(listener: Listener): void {
    this.listeners.push(listener);
  }

  /** @throws when the value is malformed; the last valid configuration stays */
  private apply({ key: id, value, change }: ConfigurationRecord): void {
    const known = this.packed.versionOf(id);
    if (value === null) {
      if (change !== undefined && change.version < known) return;
      this.packed.delete(id);
      this.halfOpenIds.delete(id);
      this.keys.forget(id);
      this.deletions.add(id, change?.version);
    } else {
      const record = readEndpoint(id, value);
      // An interrupted relay may publish an older version after a newer one.
      if (record.version < known || this.deletions.covers(id, record.version) || !this.inspect(record)) return;
      this.packed.set(record);
      this.deletions.remove(id);
      if (record.breaker === 'half_open') this.halfOpenIds.add(id);
      else this.halfOpenIds.delete(id);
    }
    this.open.delete(id);
    this.checkKeys();
    for (const listener of this.listeners) listener(id);
  }

  /** @returns false when a sealed text of the record is malformed */
  private inspect(record: EndpointRecord): boolean {
    try {
      this.keys.inspect(record, Date.now());
      return true;
    } catch (error) {
      if (!(error instanceof SealingError)) throw error;
      this.logger.error({ endpoint_id: record.id, reason: error.message }, 'endpoint.unreadable');
      return false;
    }
  }

  private unseal(record: DispatchedEndpoint): Endpoint {
    const now = Date.now();
    const { endpoint, opened } = unsealed(record, this.sealer, now);
    openedEndpoints.inc();
    this.open.set(record.id, endpoint, OPEN_BYTES + 2 * textLength(record));
    this.keys.note(record, { opened, missing: endpoint.missingKeys }, now);
    return endpoint;
  }

  /** Opens the secrets of an endpoint again if one has expired: it may be the one that does not open. */
  private reopen(): void {
    for (const id of this.keys.expired(Date.now())) {
      const record = this.packed.get(id);
      if (record === undefined) continue;
      this.unseal(record);
      this.checkKeys();
      for (const listener of this.listeners) listener(id);
    }
  }

  private checkKeys(): void {
    if (this.table.isComplete) this.keys.check();
  }
}

/** Characters of the texts of an endpoint that have no bound of their own in memory. */
function textLength({ url, secrets, headers_sealed }: DispatchedEndpoint): number {
  return url.length + secrets.reduce((sum, { sealed }) => sum + sealed.length, headers_sealed?.length ?? 0);
}
