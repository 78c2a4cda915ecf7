import { stepBreaker } from '#common/domain/breaker.js';
import type { Random } from '#common/domain/testing/random.js';
import { verdictOf } from '#common/domain/verdict.js';
import { KafkajsProducer } from '#common/kafka/kafkajs/producer/producer.js';
import type { KafkaSettings } from '#common/kafka/port/settings.js';
import { topicSpecs } from '#common/records/topics.js';
import { Broker } from './broker.js';
import { EndpointBehaviour } from './endpoint-behaviour.js';
import { EndpointTables } from './endpoint-tables.js';
import type { Flaw } from './flaws.js';
import type { Ground } from './ground.js';
import { GroupCoordinator } from './group-coordinator.js';
import { KafkaClient } from './kafka-client.js';
import { LaneTables } from './lane-tables.js';
import { Network } from './network.js';
import { APPS, type App, startApp } from './processes.js';
import { ProjectionTables } from './projection-tables.js';
import { Referee } from './referee.js';
import { type EndpointShape, isGentle, recordOf, type Shape } from './shape.js';
import type { AttemptSurroundings } from './simulated-attempter.js';
import type { Site } from './site.js';
import { canaryOf, type Duty, dutiesOf, Router } from './traffic.js';
import { BEGINNING, Host, VirtualTime } from './virtual-time.js';

/** One process of an app, and a function that stops it in order. */
export interface Running {
  readonly app: App;
  readonly instance: string;
  readonly host: Host;
  readonly stop: () => Promise<void>;
}

/** Time within which a resumed process notices its freeze: one check of its lease, and a margin. */
const THAWED_MS = 1_500;
const COOL_DOWN_CHECK_MS = 500;
const ROUTER_MS = 400;
const STALL_MS = 10_000;

/** The whole system: the product's processes, their servers, the endpoints, and the referee. */
export class World implements Site, Ground {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly network: Network;
  readonly broker: Broker;
  readonly lanes: LaneTables;
  readonly endpoints: EndpointTables;
  readonly projection: ProjectionTables;
  readonly attempts: AttemptSurroundings;
  readonly cluster: Site['cluster'];
  readonly referee: Referee;
  readonly router: Router;
  readonly duties: Duty[];
  readonly story: string[] = [];
  readonly behaviours: ReadonlyMap<string, EndpointBehaviour>;
  running: Running[] = [];
  skewMs = 0;
  readonly isUndisturbed: boolean;
  /** Time by which the process has noticed its freeze. */
  private readonly thawedUntil = new Map<Host, number>();
  private readonly coordinators = new Map<string, GroupCoordinator>();
  private readonly isTold: boolean;
  private lives = 0;

  constructor(
    readonly shape: Shape,
    { time, random, flaw, isTold }: { time: VirtualTime; random: Random; flaw: Flaw | undefined; isTold: boolean },
  ) {
    this.time = time;
    this.random = random;
    this.isTold = isTold;
    this.isUndisturbed = isGentle(shape);
    this.duties = dutiesOf(shape, random);
    this.network = new Network(time, random, shape);
    this.lanes = new LaneTables();
    const settings = new Map(shape.endpoints.map(({ id, breaker }) => [id, breaker]));
    this.endpoints = new EndpointTables(settings, flaw?.breaker ?? stepBreaker, {
      changed: (change) => this.referee.changed(change),
      counted: (id, outcome) => this.referee.counted(id, outcome),
      heard: (...attempt) => this.referee.heard(...attempt),
    });
    this.projection = new ProjectionTables(this.endpoints, () => time.now);
    this.behaviours = new Map(shape.endpoints.map((endpoint) => [endpoint.id, this.behaviourOf(endpoint)]));
    this.broker = new Broker(time, random, {
      appended: (record) => this.referee.appended(record),
      committed: (...commit) => this.referee.committed(...commit),
    });
    this.referee = new Referee(this);
    this.cluster = {
      broker: this.broker,
      network: this.network,
      maxBatch: shape.maxBatch,
      partitionsOf: (topic) => this.topics.find((spec) => spec.topic === topic)?.partitions ?? 1,
      coordinator: (groupId) => this.coordinator(groupId),
    };
    this.attempts = this.attemptSurroundings(flaw);
    for (const endpoint of shape.endpoints) this.endpoints.put(recordOf(endpoint));
    this.router = this.startRouter();
    this.startCoolDowns();
    this.startApps();
  }

  get now(): number {
    return this.time.now;
  }

  /** Virtual ms since the start. */
  get passedMs(): number {
    return this.time.now - BEGINNING;
  }

  log(what: string): void {
    if (this.isTold) this.story.push(`${(this.passedMs / 1_000).toFixed(3).padStart(8)} ${what}`);
  }

  thresholdOf(endpointId: string): number {
    return this.shapeOf(endpointId).breaker.threshold;
  }

  cooldownMsOf(endpointId: string): number {
    return this.shapeOf(endpointId).breaker.cooldownMs;
  }

  isExcused(host: Host): boolean {
    if (host.isFrozen || this.time.now < (this.thawedUntil.get(host) ?? 0)) return true;
    return this.coordinator('dispatcher').isUnaware(host);
  }

  settings(host: Host): KafkaSettings {
    return {
      brokers: [],
      prefix: '',
      clientId: host.name.slice(0, host.name.lastIndexOf('#')),
      sessionTimeoutMs: this.shape.sessionMs,
      // Histories are short. An end by the stall watch is a violation: in the simulation every pause has a reason.
      stallMs: STALL_MS,
      topics: this.topics,
      replicationFactor: 1,
      topicsReady: Promise.resolve(),
      onFatal: (error) => this.referee.fault(`${host.name} ended itself: ${error.message}`),
    };
  }

  /** @param instance name of the process; each start adds a number */
  start(app: App, instance: string): void {
    const name = this.shape.keepsNames ? instance : `${instance}.${this.lives}`;
    const host = new Host(`${name}#${++this.lives}`);
    this.log(`${host.name} starts`);
    let stop = () => Promise.resolve();
    // Its own callback, so that the promise reactions belong to this process.
    this.time.after(
      0,
      () => {
        stop = startApp(app, host, this);
      },
      host,
    );
    this.running.push({ app, instance, host, stop: () => stop() });
  }

  kill({ host }: Running): void {
    this.log(`*** ${host.name} is killed`);
    host.isAlive = false;
    this.running = this.running.filter((other) => other.host !== host);
  }

  thaw({ host }: Running): void {
    if (!host.isFrozen) return;
    this.log(`*** ${host.name} goes on`);
    this.thawedUntil.set(host, this.time.now + THAWED_MS);
    this.time.thaw(host);
  }

  /** Ends all faults: processes resume, endpoints are healthy, and each gets one more delivery. */
  calm(): void {
    this.log('--- faults stop');
    this.network.calm();
    for (const process of this.running) {
      this.thaw(process);
      process.host.clockOffsetMs = 0;
    }
    for (const behaviour of this.behaviours.values()) behaviour.isWell = true;
    for (const { paused, ...record } of [...this.endpoints.all()]) {
      if (paused) this.endpoints.put({ ...record, paused: false });
    }
    for (const endpoint of this.shape.endpoints) this.sendCanary(endpoint);
  }

  /** Adds a delivery for each held endpoint: only an attempt ends its hold. */
  sendCanaries(): void {
    for (const endpoint of this.shape.endpoints) {
      if (this.endpoints.health.get(endpoint.id)?.breaker.state === 'half_open') this.sendCanary(endpoint);
    }
  }

  private sendCanary(endpoint: EndpointShape): void {
    const number = this.duties.filter(({ endpointId }) => endpointId === endpoint.id).length;
    const canary = canaryOf(endpoint, number, this.duties, this.random);
    this.duties.push(canary);
    this.referee.expect(canary);
  }

  coordinator(groupId: string): GroupCoordinator {
    const known = this.coordinators.get(groupId);
    if (known) return known;
    const made = new GroupCoordinator(groupId, this.shape.sessionMs, this.broker, this.time, this.random, (what) =>
      this.log(what),
    );
    this.coordinators.set(groupId, made);
    return made;
  }

  private get topics() {
    const { logPartitions, sidePartitions } = this.shape;
    return topicSpecs({ logPartitions, sidePartitions, maxEventBytes: 10_000 });
  }

  private shapeOf(endpointId: string): EndpointShape {
    const shape = this.shape.endpoints.find(({ id }) => id === endpointId);
    if (shape === undefined) throw new Error(`there is no endpoint ${endpointId}`);
    return shape;
  }

  private behaviourOf({ kind, troublePermille, fromMs, untilMs }: EndpointShape): EndpointBehaviour {
    return new EndpointBehaviour(kind, troublePermille, BEGINNING + fromMs, BEGINNING + untilMs, this.random);
  }

  private attemptSurroundings(flaw: Flaw | undefined): AttemptSurroundings {
    return {
      network: this.network,
      random: this.random,
      witness: this.referee,
      verdictOf: flaw?.verdictOf ?? verdictOf,
      answerLost: this.shape.answerLost,
      behaviourOf: (id) => {
        const behaviour = this.behaviours.get(id);
        if (behaviour === undefined) throw new Error(`there is no endpoint ${id}`);
        return behaviour;
      },
    };
  }

  private startApps(): void {
    for (const app of APPS) {
      const count = app === 'dispatcher' ? this.shape.dispatchers : 1;
      for (let index = 0; index < count; index++) this.start(app, `${app}-${index}`);
    }
  }

  private startRouter(): Router {
    const host = new Host('router#0');
    return this.time.as(host, () => {
      const router = new Router(
        this.duties,
        new KafkajsProducer(this.settings(host), new KafkaClient(this.cluster, '')),
      );
      const everyMs = Math.max(10, (this.shape.faultyMs * ROUTER_MS) / 1_000 / this.duties.length);
      this.time.timer(() => void router.write(1 + this.random.pick(3)), everyMs, true);
      return router;
    });
  }

  /** As cool-downs.ts: after its cool-down, an endpoint may be probed, or an operator closes the breaker. */
  private startCoolDowns(): void {
    this.time.timer(
      () => {
        for (const [id, { breaker }] of this.endpoints.health) {
          if (breaker.state !== 'open') continue;
          const isManual = this.shapeOf(id).breaker.mode === 'manual';
          if (!isManual) this.endpoints.apply(id, { type: 'ticked' }, this.time.now);
          else if (!this.network.isFaulty) this.endpoints.apply(id, { type: 'resumed' }, this.time.now);
        }
      },
      COOL_DOWN_CHECK_MS,
      true,
    );
  }
}
