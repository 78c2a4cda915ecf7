import { hasDeadLetterHeaders } from '#common/records/dead-letter-record.js';
import { DELIVERY_HEADER, decodeDelivery, encodeDelivery } from '#common/records/delivery-record.js';
import type { InRecord } from '#common/records/record.js';
import { DELIVERIES_TOPIC, DLQ_TOPIC } from '#common/records/topics.js';
import type { Fault } from './shape.js';
import type { Running, World } from './world.js';

const HOUR_MS = 3_600_000;
/** A consumer without a fetch for this time ends its process. */
const STUCK_MS = 150_000;

/** The effect of each fault on a world. */
export const STRIKES: Record<Fault, (world: World) => void> = {
  kill: (world) => {
    const process = anyone(world);
    if (process) endAndRestart(world, process);
  },
  freeze: (world) => {
    const process = anyone(world);
    if (!process || process.host.isFrozen) return;
    const ms = world.random.pick(3 * world.shape.sessionMs);
    world.log(`*** ${process.host.name} freezes for ${ms} ms`);
    process.host.isFrozen = true;
    world.time.after(ms, () => world.thaw(process));
  },
  terminate: (world) => {
    const process = anyone(world);
    if (!process) return;
    world.log(`*** ${process.host.name} stops in order`);
    world.time.after(0, () => void process.stop().then(() => endAndRestart(world, process)), process.host);
  },
  extra: (world) => {
    // Two processes of one name would evict each other from the group.
    const instance = `dispatcher-extra-${world.random.pick(1_000)}-${world.time.now}`;
    world.start('dispatcher', instance);
    world.time.after(world.random.pick(20_000), () => {
      const process = world.running.find((other) => other.instance === instance);
      if (process) world.time.after(0, () => void process.stop().then(() => world.kill(process)), process.host);
    });
  },
  cutFromKafka: (world) => cut(world, 'kafka'),
  cutFromPostgres: (world) => cut(world, 'postgres'),
  kafkaAway: (world) => takeAway(world, 'kafka'),
  postgresAway: (world) => takeAway(world, 'postgres'),
  clockJump: (world) => {
    const process = anyone(world);
    if (!process) return;
    const ms = world.random.among([-HOUR_MS, STUCK_MS, -5_000, 5_000, -200, 200]);
    world.log(`*** the clock of ${process.host.name} jumps by ${ms} ms`);
    process.host.clockOffsetMs += ms;
    world.skewMs += Math.abs(ms);
  },
  routerRepeats: (world) => {
    if (world.router.repeat(1 + world.random.pick(5))) world.log('*** the router goes back');
  },
  pause: (world) => {
    const record = world.random.among([...world.endpoints.all()]);
    world.log(`*** ${record.id} is ${record.paused ? 'resumed' : 'paused'}`);
    world.endpoints.put({ ...record, paused: !record.paused });
  },
  replay: (world) => {
    const dead = world.broker.ends([DLQ_TOPIC]).flatMap(([name]) => world.broker.log(name));
    if (dead.length > 0) replay(world, world.random.among(dead));
  },
  skip: skipHead,
  evict: (world) => {
    const group = world.coordinator('dispatcher');
    const members = group.describe();
    if (members.length === 0) return;
    const { memberId } = world.random.among(members);
    world.log(`*** ${memberId} is evicted from its group`);
    group.evict(memberId);
  },
};

function anyone(world: World): Running | undefined {
  // Faults hit dispatchers most often: they hold the most state.
  const dispatchers = world.running.filter(({ app }) => app === 'dispatcher');
  const candidates = world.random.chance(700) ? dispatchers : world.running;
  return candidates.length === 0 ? undefined : world.random.among(candidates);
}

function endAndRestart(world: World, process: Running): void {
  if (!process.host.isAlive) return;
  world.kill(process);
  const { app, instance } = process;
  world.time.after(200 + world.random.pick(4_000), () => world.start(app, instance));
}

function cut(world: World, server: 'kafka' | 'postgres'): void {
  const process = anyone(world);
  if (!process) return;
  const ms = world.random.pick(3 * world.shape.sessionMs);
  world.log(`*** ${process.host.name} does not reach ${server} for ${ms} ms`);
  world.network.cut(process.host, server, ms);
}

function takeAway(world: World, server: 'kafka' | 'postgres'): void {
  const ms = world.random.pick(20_000);
  world.log(`*** ${server} is away for ${ms} ms`);
  world.network.takeAway(server, ms);
}

function replay(world: World, record: InRecord): void {
  const { key, value, headers } = record;
  const meta = decodeDelivery(headers[DELIVERY_HEADER]);
  const source = headers['posthorn-dead-source']?.toString() ?? '';
  const partition = Number(source.split('/')[1]);
  world.log(`*** dead letter ${meta?.deliveryId}/${meta?.replay} is replayed`);
  world.broker.append(DELIVERIES_TOPIC, partition, { key, value, headers });
}

function skipHead(world: World): void {
  const heads = [...world.lanes.logs].flatMap(([log, tables]) =>
    [...tables.rows].flatMap(([lane, { place, attempt }]) =>
      attempt === undefined ? [] : [{ log, lane, place, attempt }],
    ),
  );
  if (heads.length === 0) return;
  const { log, lane, place, attempt } = world.random.among(heads);
  const record = world.broker.log(log)[place];
  const meta = record && decodeDelivery(record.headers[DELIVERY_HEADER]);
  if (!record || !meta) return;
  world.log(`*** the head of ${lane} is to be skipped`);
  // A replayed dead letter begins the next life, which its first attempt shows.
  const replay = meta.replay + (hasDeadLetterHeaders(record.headers) ? 1 : 0);
  const header = encodeDelivery({ ...meta, replay });
  world.lanes.ask(log, { lane, place, attempt, header, body: record.value ?? Buffer.alloc(0) });
}
