import { describe, expect, it } from '@jest/globals';
import { Random } from '#common/domain/testing/random.js';
import { KafkajsConsumer } from '#common/kafka/kafkajs/consumer/log-consumer.js';
import type { OwnedLog, OwnershipListener } from '#common/kafka/port/owned-log.js';
import { topicSpecs } from '#common/records/topics.js';
import { Broker } from './broker.js';
import type { Cluster } from './cluster.js';
import { GroupCoordinator } from './group-coordinator.js';
import { KafkaClient } from './kafka-client.js';
import { Network } from './network.js';
import { inTurn } from './simulate.js';
import { inVirtualTime } from './virtual-globals.js';
import { BEGINNING, Host, VirtualTime } from './virtual-time.js';

const SESSION_MS = 6_000;
/** As in the consumer. */
const HEARTBEAT_MS = SESSION_MS / 5;
const DRAIN_MS = 10_000;
const TOPIC = 'deliveries';

/** One group on a simulated broker, and a log of its events, with times in virtual ms. */
class Stage {
  readonly logged: { readonly atMs: number; readonly what: string }[] = [];
  readonly network: Network;
  readonly group: GroupCoordinator;
  private readonly cluster: Cluster;

  constructor(
    private readonly time: VirtualTime,
    random: Random,
  ) {
    const broker = new Broker(time, random, { appended: () => undefined, committed: () => undefined });
    this.network = new Network(time, random, { answerLost: 0, late: 0, latencyMs: 1 });
    this.network.isFaulty = false;
    this.group = new GroupCoordinator('group', SESSION_MS, broker, time, random, (what) => this.log(what));
    const { network, group } = this;
    this.cluster = { broker, network, maxBatch: 100, partitionsOf: () => 2, coordinator: () => group };
  }

  get nowMs(): number {
    return this.time.now - BEGINNING;
  }

  /** A process with one consumer, which starts in its own turn of virtual time. */
  member(name: string, ownership: OwnershipListener = {}, topicsReady: Promise<void> = Promise.resolve()): Member {
    const host = new Host(name);
    const clients = new KafkaClient(this.cluster, name);
    const settings = {
      ...{ brokers: [], prefix: '', clientId: name, sessionTimeoutMs: SESSION_MS, replicationFactor: 1, topicsReady },
      topics: topicSpecs({ logPartitions: 2, sidePartitions: 1, maxEventBytes: 10_000 }),
      onFatal: (error: Error) => this.log(`${name} ended itself: ${error.message}`),
    };
    const member = new Member(this, host, ownership);
    const options = {
      groupId: 'group',
      topics: [TOPIC],
      finishMs: DRAIN_MS,
      ownership: member,
      onBatch: () => undefined,
    };
    this.act(host, () => {
      member.consumer = new KafkajsConsumer(settings, options, clients);
      void member.consumer.start();
    });
    return member;
  }

  act(host: Host, run: () => void): void {
    this.time.after(0, run, host);
  }

  /** Advances the time until a condition holds. */
  until(what: string, holds: () => boolean, limitMs = 60_000): void {
    const deadline = this.time.now + limitMs;
    while (!holds()) {
      if (this.time.now > deadline || !this.time.step()) throw new Error(`in ${limitMs} ms not: ${what}`);
    }
  }

  pass(ms: number): void {
    const end = this.time.now + ms;
    while (this.time.now < end && this.time.step());
  }

  log(what: string): void {
    this.logged.push({ atMs: this.nowMs, what });
  }

  /** Time of the first logged event that matches. */
  momentOf(words: string): number {
    const found = this.logged.find(({ what }) => what.includes(words));
    if (found === undefined) throw new Error(`nothing was logged about ${words}: ${JSON.stringify(this.logged)}`);
    return found.atMs;
  }
}

/** Logs the partitions that it owns and loses. */
class Member implements OwnershipListener {
  consumer: KafkajsConsumer | undefined;
  readonly owned = new Set<OwnedLog>();

  constructor(
    private readonly stage: Stage,
    readonly host: Host,
    private readonly ownership: OwnershipListener,
  ) {}

  get memberId(): string {
    return this.stage.group.describe().find(({ host }) => host === this.host)?.memberId ?? '';
  }

  onOwned(log: OwnedLog): void {
    const isMember = this.stage.group.isOwner(this.host, `${log.topic}/${log.partition}`);
    this.stage.log(`${this.host.name} ${isMember ? 'owns' : 'wrongly owns'} ${log.partition}`);
    this.owned.add(log);
  }

  onLost(log: OwnedLog): void {
    this.stage.log(`${this.host.name} loses ${log.partition}`);
    this.owned.delete(log);
    this.ownership.onLost?.(log);
  }

  async onRebalancing(): Promise<void> {
    await this.ownership.onRebalancing?.();
  }
}

function onStage(act: (stage: Stage) => void): Promise<void> {
  const random = new Random(1);
  const time = new VirtualTime(new Host('world'));
  return inTurn(() => inVirtualTime(time, random, () => act(new Stage(time, random))));
}

/** Work that ends only when its partition is lost. */
const BUSY: OwnershipListener = { onRebalancing: () => new Promise(() => undefined) };

describe('a member that is evicted from its group', () => {
  it('given a member that drains, then it loses its partitions with the first answer', () =>
    onStage((stage) => {
      const first = stage.member('first', BUSY);
      stage.until('it owns all', () => first.owned.size === 2);
      stage.member('second');
      stage.pass(2 * HEARTBEAT_MS);
      stage.group.evict(first.memberId);
      const evictedAt = stage.nowMs;
      stage.until('it has lost all', () => first.owned.size === 0);

      expect(stage.nowMs - evictedAt).toBeLessThan(1.1 * HEARTBEAT_MS);
    }));

  it('given that the next join fails, then the member owns no partition until a join succeeds', () =>
    onStage((stage) => {
      const cut = () => stage.network.cut(first.host, 'kafka', 3_000);
      const first: Member = stage.member('first', { onLost: cut });
      stage.until('it owns all', () => first.owned.size === 2);
      stage.group.evict(first.memberId);
      stage.until('it has lost all', () => first.owned.size === 0);
      stage.until('it owns all again', () => first.owned.size === 2);
      stage.pass(SESSION_MS);

      expect(first.owned.size).toBe(2);
      expect(stage.logged.filter(({ what }) => what.includes('wrongly'))).toEqual([]);
    }));
});

describe('work that does not end in time', () => {
  it('given a rebalance, then the partition is lost before the join', () =>
    onStage((stage) => {
      const first = stage.member('first', BUSY);
      stage.until('it owns all', () => first.owned.size === 2);
      stage.member('second');
      stage.until('both have joined', () => stage.logged.some(({ what }) => what.includes('generation 2')));

      expect(stage.momentOf('first loses')).toBeGreaterThan(DRAIN_MS);
      expect(stage.momentOf('first loses')).toBeLessThan(stage.momentOf('generation 2'));
    }));

  it('given a stop, then the partition is lost before the member leaves', () =>
    onStage((stage) => {
      const first = stage.member('first', BUSY);
      stage.until('it owns all', () => first.owned.size === 2);
      stage.act(first.host, () => void first.consumer?.stop());
      stage.until('it has left', () => first.memberId === '');

      expect(stage.momentOf('first loses')).toBeLessThan(stage.momentOf('is out of'));
    }));
});

describe('a stop of a consumer that starts', () => {
  it('given missing topics, then the consumer never joins the group', () =>
    onStage((stage) => {
      const ready = Promise.withResolvers<void>();
      const first = stage.member('first', {}, ready.promise);
      stage.pass(1_000);
      stage.act(first.host, () => void first.consumer?.stop().then(() => stage.log('stopped')));
      stage.pass(1_000);
      stage.act(first.host, () => ready.resolve());
      stage.pass(10_000);

      expect(stage.logged.map(({ what }) => what)).toEqual(['stopped']);
    }));

  it.each([0, 1, 2, 5, 50, 99, 150, 500])(
    'given a stop %i ms after the start, then the consumer leaves the group',
    (afterMs) =>
      onStage((stage) => {
        const first = stage.member('first');
        stage.pass(afterMs);
        stage.act(first.host, () => void first.consumer?.stop().then(() => stage.log('stopped')));
        stage.until('it has stopped', () => stage.logged.some(({ what }) => what === 'stopped'));

        expect(first.memberId).toBe('');
        expect(first.owned.size).toBe(0);
        stage.pass(10_000);
        expect(first.memberId).toBe('');
      }),
  );
});
