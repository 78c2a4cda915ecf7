import { loadavg } from 'node:os';
import { optionsOrExit } from '../lib/options.mjs';
import { Ipc } from './ipc.mjs';
import { BenchSystem } from './system.mjs';
import { measureIdle, measureLight } from './throughput/calm.mjs';
import { Load } from './throughput/load.mjs';
import { printReport } from './throughput/report.mjs';

const RAW_S = 1.5;
const AFTER_IDLE_EVENTS = 6_000;

/**
 * One measured scene. `events` is how many are published; each has `endpoints` deliveries.
 *
 * @typedef {{ door: 'kafka' | 'http', endpoints: number, ordering: 'resource' | 'none', failRate: number, events: number }} Scene
 */

/** @type {readonly Scene[]} */
const QUICK_SCENES = [
  { door: 'kafka', endpoints: 1, ordering: 'resource', failRate: 0, events: 30_000 },
  { door: 'kafka', endpoints: 1, ordering: 'none', failRate: 0, events: 30_000 },
  { door: 'kafka', endpoints: 5, ordering: 'resource', failRate: 0, events: 14_000 },
  { door: 'http', endpoints: 1, ordering: 'resource', failRate: 0, events: 20_000 },
];

/** @type {readonly Scene[]} */
const ALL_SCENES = /** @type {const} */ (['kafka', 'http']).flatMap((door) =>
  [1, 5].flatMap((endpoints) =>
    /** @type {const} */ (['resource', 'none']).flatMap((ordering) =>
      [0, 0.05].map((failRate) => ({ door, endpoints, ordering, failRate, events: endpoints === 1 ? 40_000 : 12_000 })),
    ),
  ),
);

/**
 * The whole system against a bare sender, on the same machine, in the same run.
 *
 * @param {string[]} args `--quick` for the scenes that matter most, in less than two minutes
 * @returns {Promise<boolean>} whether every delivery arrived
 */
export async function run(args) {
  const values = optionsOrExit({ quick: { type: 'boolean', default: false } }, { args });
  const system = await BenchSystem.start();
  const receiver = new Ipc(new URL('./throughput/receiver.mjs', import.meta.url));
  try {
    const { listening } = await receiver.next();
    const load = await Load.start(system, receiver, listening);
    await load.warmUp();
    console.log('measuring latency, then idle CPU');
    const light = await measureLight(load, values.quick ? 10 : 30);
    const idle = await measureIdle(system, values.quick ? 10 : 30);
    // The first scene is not to pay for the rest that was measured.
    await load.warmUp(AFTER_IDLE_EVENTS);
    const { raw, runs } = await measureScenes(load, values.quick ? QUICK_SCENES : ALL_SCENES);
    const scaling = values.quick ? undefined : await measureScaling(system, load);
    await load.stop();
    return printReport({
      raw,
      runs,
      light,
      idle,
      scaling,
      rss: system.peakRssMb(),
      loadAverage: loadavg()[0] ?? 0,
    });
  } finally {
    receiver.close();
    await system.stop();
  }
}

/**
 * Each scene between two raw loops of each kind, whose means it is compared with: a shared machine is now faster, now slower,
 * from one minute to the next.
 *
 * @param {Load} load
 * @param {readonly Scene[]} scenes
 */
async function measureScenes(load, scenes) {
  const raws = [await measureRaws(load)];
  const runs = [];
  for (const scene of scenes) {
    const run = await load.measure(scene);
    raws.push(await measureRaws(load));
    const { plain, fastest } = meanOf(raws.slice(-2));
    const ratio = Number((run.deliveries_per_s / plain).toFixed(3));
    runs.push({ ...run, ratio, ratio_fastest: Number((run.deliveries_per_s / fastest).toFixed(3)) });
    console.log(`${describe(scene)}: ${run.deliveries_per_s}/s, ${ratio} of the raw loop`);
  }
  return { raw: meanOf(raws), runs };
}

/** @typedef {{ plain: number, fastest: number }} Raw requests per second of the raw loop, by how it signs */

/**
 * @param {Load} load
 * @returns {Promise<Raw>}
 */
async function measureRaws(load) {
  return { plain: await measureRaw(load, 'plain'), fastest: await measureRaw(load, 'fastest') };
}

/**
 * @param {Load} load
 * @param {keyof Raw} signing
 */
async function measureRaw({ receiver, receiverPort }, signing) {
  await receiver.ask({ start: { failRate: 0 } });
  const script = new URL('./throughput/raw-loop.mjs', import.meta.url);
  const sender = new Ipc(script, [String(receiverPort), String(RAW_S), signing]);
  const { perSecond, failed } = await sender.next();
  if (failed > 0) throw new Error(`${failed} requests of the raw loop failed`);
  return perSecond;
}

/**
 * @param {readonly Raw[]} raws
 * @returns {Raw}
 */
function meanOf(raws) {
  const mean = (/** @type {keyof Raw} */ signing) => raws.reduce((sum, raw) => sum + raw[signing], 0) / raws.length;
  return { plain: mean('plain'), fastest: mean('fastest') };
}

/** @param {Scene} scene */
function describe({ door, endpoints, ordering, failRate }) {
  return `${door}, endpoints: ${endpoints}, ordering: ${ordering}, failures: ${failRate * 100} %`;
}

/**
 * The same load with one dispatcher and with two.
 *
 * @param {BenchSystem} system
 * @param {Load} load
 */
async function measureScaling(system, load) {
  const scene = /** @type {const} */ ({
    door: 'kafka',
    endpoints: 5,
    ordering: 'resource',
    failRate: 0,
    events: 12_000,
  });
  const one = await load.measure(scene);
  await system.addDispatcher();
  await load.warmUp();
  const two = await load.measure(scene);
  return { one: one.deliveries_per_s, two: two.deliveries_per_s };
}
