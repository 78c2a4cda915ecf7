import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { HoldReason } from '#common/domain/hold.js';
import type { OwnedLog } from '#common/kafka/port/owned-log.js';
import { MEMORY_LIMITS, type MemoryLimits } from '../deliveries/memory-budget.js';
import { EndpointDirectory } from './endpoint-directory.js';
import { EndpointGate, type GateSettings } from './endpoint-gate.js';
import { exposeGates } from './metrics.js';
import { patienceByLoad } from './patience.js';
import type { Endpoint } from './unsealed-endpoint.js';

/** DI token of {@link DrainLimits}. */
export const DRAIN_LIMITS = Symbol('DrainLimits');

export interface DrainLimits {
  /** Parked deliveries of one endpoint that this process begins in a second. */
  readonly perSecond: number;
}

interface GateListener {
  /** A hold of the endpoint begins, ends or changes its reason. */
  onHold(endpointId: string, reason: HoldReason | undefined): void;
  /** The endpoint's backlog is no longer full. */
  onRoom(endpointId: string): void;
  /** Endpoints with a lane in memory: their gates must notify of holds. */
  withLanes(): ReadonlySet<string>;
}

/** An unused gate takes 1 KB (measured). */
const SWEEP_MS = 3_000;
/** Longer than the interval at which the lane keeper asks for the gates of endpoints with parked rows. */
const UNUSED_SWEEPS = 2;

interface KeptGate {
  readonly gate: EndpointGate;
  /** Sweeps since its last use. */
  unusedSweeps: number;
}

/**
 * The gates of the endpoints in use. Gates follow the endpoint's configuration and this process's share of the partitions. The
 * gate of an idle endpoint is dropped. Endpoints with parked rows keep theirs: the lane keeper asks for it every few seconds.
 */
@Injectable()
export class Gates implements OnModuleInit, OnModuleDestroy {
  private readonly gates = new Map<string, KeptGate>();
  private sweeper: NodeJS.Timeout | undefined;
  private listener: GateListener | undefined;
  /** Fraction of all partitions owned here: a rate limit over all dispatchers is divided by it. */
  private share = 1;
  private isHalted = false;

  constructor(
    private readonly directory: EndpointDirectory,
    @Inject(MEMORY_LIMITS) private readonly memory: MemoryLimits,
    @Inject(DRAIN_LIMITS) private readonly drain: DrainLimits,
  ) {
    directory.onChange((endpointId) => this.refresh(endpointId));
  }

  onModuleInit(): void {
    exposeGates(() => this.gates.size);
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.sweeper);
  }

  listen(listener: GateListener): void {
    this.listener = listener;
  }

  of(endpointId: string): EndpointGate {
    const known = this.gates.get(endpointId);
    if (known) {
      known.unusedSweeps = 0;
      return known.gate;
    }
    const gate = new EndpointGate(this.settingsOf(endpointId), {
      queueLimit: this.memory.endpointQueue,
      patience: () => patienceByLoad(this.memory.slowAfterMs),
      drainPerSecond: this.drain.perSecond,
      now: Date.now,
      onHold: (reason) => this.listener?.onHold(endpointId, reason),
      onRoom: () => this.listener?.onRoom(endpointId),
    });
    gate.halt(this.isHalted);
    this.gates.set(endpointId, { gate, unusedSweeps: 0 });
    return gate;
  }

  /** Why turns of this partition wait at a gate that works; undefined when no turn does. */
  waitsFor(log: OwnedLog): string | undefined {
    for (const { gate } of this.gates.values()) {
      const reason = gate.waitsFor(log);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  holdOf(endpointId: string): HoldReason | undefined {
    return this.of(endpointId).hold;
  }

  halt(isHalted: boolean): void {
    this.isHalted = isHalted;
    for (const { gate } of this.gates.values()) gate.halt(isHalted);
  }

  /** @param share of all partitions, 0 to 1 */
  setShare(share: number): void {
    this.share = share;
    for (const endpointId of this.gates.keys()) this.refresh(endpointId);
  }

  private refresh(endpointId: string): void {
    const gate = this.gates.get(endpointId)?.gate;
    if (gate === undefined) return;
    gate.change(this.settingsOf(endpointId));
    if (gate.isIdle && this.directory.wasDeleted(endpointId)) this.gates.delete(endpointId);
  }

  /** Drops gates that no lane and no delivery needs, and that would not limit the next attempt. */
  private sweep(): void {
    const needed = this.listener?.withLanes();
    for (const [endpointId, kept] of this.gates) {
      const isUnused = kept.unusedSweeps >= UNUSED_SWEEPS;
      if (isUnused && kept.gate.isAtRest && !needed?.has(endpointId)) this.gates.delete(endpointId);
      kept.unusedSweeps++;
    }
  }

  private settingsOf(endpointId: string): GateSettings {
    const endpoint = this.directory.find(endpointId);
    const perSecond = endpoint?.record.max_per_second ?? undefined;
    return {
      maxInFlight: endpoint?.record.max_in_flight ?? 1,
      perSecond: perSecond === undefined ? undefined : perSecond * this.share,
      hold: endpoint && holdBy(endpoint),
    };
  }
}

/**
 * Neither a disabled endpoint nor an open breaker that discards holds: deliveries are given up at once. A missing key is an
 * operator's mistake, so it holds even deliveries that a breaker would discard: they must not be lost by it.
 */
function holdBy({ record, missingKeys }: Endpoint): GateSettings['hold'] {
  if (!record.enabled) return undefined;
  if (record.paused) return 'paused';
  if (missingKeys.length > 0) return 'key_missing';
  return record.breaker === 'closed' || record.breaker_mode === 'discard' ? undefined : 'breaker';
}
