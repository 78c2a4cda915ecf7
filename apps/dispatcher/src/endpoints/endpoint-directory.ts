import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { Deletions } from '#common/collections/deletions.js';
import { GenerationMarkers } from '#common/generations/generation-markers.js';
import { type ConfigurationRecord, ConfigurationTable } from '#common/kafka/configuration-table.js';
import { KAFKA_CLIENT, type KafkaClient } from '#common/kafka/port/kafka-client.js';
import { Health } from '#common/observability/health.js';
import { readEndpoint } from '#common/records/endpoint-record.js';
import { MAX_VERSION } from '#common/records/limits.js';
import { ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { MissingKeys } from '#common/security/missing-keys.js';
import { Sealer, SealingError } from '#common/security/sealing.js';
import { exposeKeyMissing } from './metrics.js';
import { type Endpoint, type Unsealed, unsealed } from './unsealed-endpoint.js';

type Listener = (endpointId: string) => void;

/**
 * Deleted endpoints that are remembered: their deliveries do not wait for a configuration, and an older record cannot
 * restore them.
 */
const MAX_DELETIONS = 100_000;
/** A secret that does not open may expire; then its key is no longer needed. */
const REOPEN_INTERVAL_MS = 1_000;

/** Every endpoint's current configuration, in memory, from the compacted `endpoints` topic. */
@Injectable()
export class EndpointDirectory implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(EndpointDirectory.name);
  private readonly endpoints = new Map<string, Endpoint>();
  private readonly deletions = new Deletions(MAX_DELETIONS, MAX_VERSION);
  private readonly halfOpenIds = new Set<string>();
  private readonly listeners: Listener[] = [];
  private readonly table: ConfigurationTable;
  private readonly missingKeys: MissingKeys;
  /** Ids of the missing keys that were logged last, as text. */
  private loggedKeys = '';
  private readonly keysFound = Promise.withResolvers<void>();
  private reopening: NodeJS.Timeout | undefined;

  constructor(
    @Inject(KAFKA_CLIENT) private readonly kafka: KafkaClient,
    private readonly sealer: Sealer,
    health: Health,
    markers: GenerationMarkers,
  ) {
    this.missingKeys = new MissingKeys(sealer);
    this.table = new ConfigurationTable(kafka, {
      topic: ENDPOINTS_TOPIC,
      apply: (record) => this.apply(record),
      onOtherMarker: (key, value) => markers.apply(key, value),
    });
    health.addReadiness({ name: 'endpoints', problem: () => this.table.completeProblem() });
    health.addReadiness({ name: 'secret_keys', problem: () => this.missingKeys.problem() });
    exposeKeyMissing(() => this.missingKeys.size);
  }

  onModuleInit(): void {
    this.table.startComplete().then(() => this.checkKeys(), this.kafka.settings.onFatal);
    this.reopening = setInterval(() => this.reopen(), REOPEN_INTERVAL_MS);
  }

  /** Resolves when every endpoint is known and every key that endpoints use is there. The group is not joined before. */
  get ready(): Promise<void> {
    return this.keysFound.promise;
  }

  async onModuleDestroy(): Promise<void> {
    clearInterval(this.reopening);
    await this.table.stop();
  }

  find(id: string): Endpoint | undefined {
    return this.endpoints.get(id);
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
    const known = this.endpoints.get(id)?.record.version ?? 0;
    if (value === null) {
      if (change !== undefined && change.version < known) return;
      this.endpoints.delete(id);
      this.halfOpenIds.delete(id);
      this.missingKeys.forget(id);
      this.deletions.add(id, change?.version);
    } else {
      const read = this.read(id, value);
      if (read === undefined) return;
      const { endpoint } = read;
      const { version } = endpoint.record;
      // An interrupted relay may publish an older version after a newer one.
      if (version < known || this.deletions.covers(id, version)) return;
      this.set(id, read);
      this.deletions.remove(id);
      if (endpoint.record.breaker === 'half_open') this.halfOpenIds.add(id);
      else this.halfOpenIds.delete(id);
    }
    this.checkKeys();
    for (const listener of this.listeners) listener(id);
  }

  /** @throws Error when the record is malformed */
  private read(id: string, value: Buffer): Unsealed | undefined {
    const record = readEndpoint(id, value);
    try {
      return unsealed(record, this.sealer, Date.now());
    } catch (error) {
      if (!(error instanceof SealingError)) throw error;
      this.logger.error({ endpoint_id: id, reason: error.message }, 'endpoint.unreadable');
      return undefined;
    }
  }

  private set(id: string, { endpoint, opened }: Unsealed): void {
    this.endpoints.set(id, endpoint);
    this.missingKeys.note(id, { opened, missing: endpoint.missingKeys });
  }

  /** Opens the secrets of an endpoint again if one has expired: it may be the one that does not open. */
  private reopen(): void {
    const now = Date.now();
    for (const id of this.missingKeys.endpoints()) {
      const endpoint = this.endpoints.get(id);
      const isExpired = ({ expires_at }: { expires_at: number | null }) => expires_at !== null && expires_at <= now;
      if (!endpoint?.record.secrets.some(isExpired)) continue;
      const again = unsealed(endpoint.record, this.sealer, now);
      if (again.endpoint.missingKeys.length === endpoint.missingKeys.length) continue;
      this.set(id, again);
      this.checkKeys();
      for (const listener of this.listeners) listener(id);
    }
  }

  /** Deliveries of endpoints with a missing key wait until an operator adds the key. */
  private checkKeys(): void {
    if (!this.table.isComplete) return;
    const keyIds = this.missingKeys.keyIds();
    if (keyIds.join() !== this.loggedKeys) {
      this.loggedKeys = keyIds.join();
      const problem = this.missingKeys.problem();
      if (problem === undefined) this.logger.log('secret_keys.found');
      else this.logger.error({ key_ids: keyIds, problem }, 'secret_keys.missing');
    }
    if (this.missingKeys.lacking().length === 0) this.keysFound.resolve();
  }
}
