import { Positions } from '#common/domain/positions.js';
import { KafkajsProducer } from '#common/kafka/kafkajs/producer/producer.js';
import type { FencedLog, LogBatch } from '#common/kafka/port/owned-log.js';
import type { LaneCommands } from '#common/postgres/lane-commands.js';
import type { LaneLimits } from '#common/postgres/lane-limits.js';
import type { LaneStore } from '#common/postgres/lane-store.js';
import { DELIVERIES_TOPIC } from '#common/records/topics.js';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import type { Attempter } from '../../apps/dispatcher/src/attempts/attempter.js';
import { Attempts } from '../../apps/dispatcher/src/attempts/attempts.js';
import { Turns } from '../../apps/dispatcher/src/attempts/turns.js';
import { MemoryBudget } from '../../apps/dispatcher/src/deliveries/memory-budget.js';
import { ReplayCheck } from '../../apps/dispatcher/src/deliveries/replay-check.js';
import { DeliveriesConsumer } from '../../apps/dispatcher/src/deliveries.consumer.js';
import { DeliveryEngine } from '../../apps/dispatcher/src/delivery-engine.js';
import { Deferrals } from '../../apps/dispatcher/src/endpoints/deferrals.js';
import type { EndpointDirectory } from '../../apps/dispatcher/src/endpoints/endpoint-directory.js';
import { Gates } from '../../apps/dispatcher/src/endpoints/gates.js';
import { UnfinishedDeliveries } from '../../apps/dispatcher/src/endpoints/unfinished-deliveries.js';
import { Drainer } from '../../apps/dispatcher/src/lanes/drainer.js';
import { LogOwners } from '../../apps/dispatcher/src/lanes/log-owners.js';
import type { LostHeads } from '../../apps/dispatcher/src/lanes/lost-heads.js';
import { ParkedLaneKeeper } from '../../apps/dispatcher/src/lanes/parked-lane-keeper.js';
import { ReadAhead } from '../../apps/dispatcher/src/lanes/read-ahead.js';
import { SimulatedLaneLimits } from './endpoint-tables.js';
import { KafkaClient } from './kafka-client.js';
import { SimulatedLaneCommands, SimulatedLaneStore } from './lane-tables.js';
import { SimulatedAttempter } from './simulated-attempter.js';
import { SimulatedDirectory } from './simulated-directory.js';
import { consume, type Site } from './site.js';
import { standIn } from './stand-in.js';
import type { Host } from './virtual-time.js';

const SIGNER = new DeadLetterSigner(`simulated:${Buffer.alloc(32).toString('base64')}`);
const LIMITS = { batchBytes: 1_000_000 };
const REPLAYS = new ReplayCheck(SIGNER, { requiresMac: true });

// The simulation replaces no log, and no log loses records.
const NO_LOST_HEADS = standIn<LostHeads>({ restore: () => Promise.resolve() });
const ONE_GENERATION = {
  present: () => Promise.resolve(0),
  carriedOver: () => Promise.resolve(),
  positionsOf: (_log: unknown, generation: number) => Promise.resolve(new Positions(generation)),
};

/** Starts a dispatcher, wired as in its app.module.ts. @returns function that stops it in order */
export function startDispatcher(host: Host, site: Site): () => Promise<void> {
  const { cluster, shape } = site;
  const { network } = cluster;
  const settings = site.settings(host);
  const producer = new KafkajsProducer(settings, new KafkaClient(cluster, settings.clientId));
  const store = standIn<LaneStore>(new SimulatedLaneStore(site.lanes, network));
  const limits = standIn<LaneLimits>(new SimulatedLaneLimits(site.lanes, site.endpoints, network));
  const commands = standIn<LaneCommands>(new SimulatedLaneCommands(site.lanes, network));
  const simulated = new SimulatedDirectory(host, site.endpoints, network, site.attempts.random);
  const directory = standIn<EndpointDirectory>(simulated);
  const { endpointQueue, slowAfterMs, memoryBytes: bytes } = shape;
  const memoryLimits = { endpointQueue, slowAfterMs, bytes };
  const gates = new Gates(directory, memoryLimits, { perSecond: shape.drainPerSecond });
  gates.onModuleInit();
  const readAhead = new ReadAhead(memoryLimits);
  const drainer = new Drainer(store, limits, gates, readAhead);
  const attempter = { onApplicationShutdown: () => Promise.resolve() };
  const attempts = new Attempts(
    directory,
    standIn<Attempter>(Object.assign(new SimulatedAttempter(host, site.attempts), attempter)),
    SIGNER,
    LIMITS,
  );
  const turns = new Turns(gates, attempts, producer, { recentDeliveries: shape.recentDeliveries });
  const unfinished = new UnfinishedDeliveries(new MemoryBudget(memoryLimits), gates);
  const collaborators = { holds: gates, turns, unfinished, readAhead };
  const owners = new LogOwners(store, NO_LOST_HEADS, drainer, collaborators, ONE_GENERATION);
  const deferrals = new Deferrals(gates);
  const engine = new DeliveryEngine(owners, gates, attempts, unfinished, deferrals);
  const keeper = new ParkedLaneKeeper(owners, directory, gates, drainer, limits, commands);
  keeper.onApplicationBootstrap();
  const consumer = new DeliveriesConsumer(engine, producer, LIMITS, REPLAYS, deferrals);
  return consume(site, settings, {
    groupId: 'dispatcher',
    topics: [DELIVERIES_TOPIC],
    ownership: engine,
    paceMs: 4,
    waitsFor: (log) => network.databaseProblem(host) ?? engine.waitsFor(log),
    onBatch: (batch) => consumer.take(batch as LogBatch & { log: FencedLog }),
    startAfter: () => directory.ready,
  });
}
