import { loadavg } from 'node:os';
import { optionsOrExit } from '../lib/options.mjs';
import { Ipc } from './ipc.ts';
import type { Listening, RawRate } from './messages.ts';
import { BenchSystem } from './system.ts';
import { measureIdle, measureLight } from './throughput/calm.ts';
import { Load } from './throughput/load.ts';
import { printReport } from './throughput/report.ts';
import type { Raw, Scene } from './throughput/scene.ts';

const RAW_S = 1.5;
const AFTER_IDLE_EVENTS = 6_000;

const QUICK_SCENES: readonly Scene[] = [
  { door: 'kafka', endpoints: 1, ordering: 'resource', failRate: 0, events: 30_000 },
  { door: 'kafka', endpoints: 1, ordering: 'none', failRate: 0, events: 30_000 },
  { door: 'kafka', endpoints: 5, ordering: 'resource', failRate: 0, events: 14_000 },
  { door: 'http', endpoints: 1, ordering: 'resource', failRate: 0, events: 20_000 },
];

const ALL_SCENES: readonly Scene[] = (['kafka', 'http'] as const).flatMap((door) =>
  [1, 5].flatMap((endpoints) =>
    (['resource', 'none'] as const).flatMap((ordering) =>
      [0, 0.05].map((failRate) => ({ door, endpoints, ordering, failRate, events: endpoints === 1 ? 40_000 : 12_000 })),
    ),
  ),
);

/**
 * Compares the whole system with a raw loop, on the same machine, in the same run.
 *
 * @param args `--quick` runs the most important scenes, in less than two minutes
 * @returns whether every delivery arrived
 */
export async function run(args: string[]): Promise<boolean> {
  const values = optionsOrExit({ quick: { type: 'boolean', default: false } }, { args });
  const system = await BenchSystem.start();
  const receiver = new Ipc(new URL('./throughput/receiver.ts', import.meta.url));
  try {
    const { listening } = await receiver.next<Listening>();
    const load = await Load.start(system, receiver, listening);
    await load.warmUp();
    console.log('measuring latency, then idle CPU');
    const light = await measureLight(load, values.quick ? 10 : 30);
    const idle = await measureIdle(system, values.quick ? 10 : 30);
    // A warm-up, so that the first scene does not start from an idle system.
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
 * Runs each scene between two raw loops of each kind, and compares it with their means: the speed of a shared machine
 * changes within minutes.
 */
async function measureScenes(load: Load, scenes: readonly Scene[]) {
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

async function measureRaws(load: Load): Promise<Raw> {
  return { plain: await measureRaw(load, 'plain'), fastest: await measureRaw(load, 'fastest') };
}

async function measureRaw({ receiver, receiverPort }: Load, signing: keyof Raw) {
  await receiver.ask({ start: { failRate: 0 } });
  const script = new URL('./throughput/raw-loop.ts', import.meta.url);
  const sender = new Ipc(script, [String(receiverPort), String(RAW_S), signing]);
  const { perSecond, failed } = await sender.next<RawRate>();
  if (failed > 0) throw new Error(`${failed} requests of the raw loop failed`);
  return perSecond;
}

function meanOf(raws: readonly Raw[]): Raw {
  const mean = (signing: keyof Raw) => raws.reduce((sum, raw) => sum + raw[signing], 0) / raws.length;
  return { plain: mean('plain'), fastest: mean('fastest') };
}

function describe({ door, endpoints, ordering, failRate }: Scene) {
  return `${door}, endpoints: ${endpoints}, ordering: ${ordering}, failures: ${failRate * 100} %`;
}

/** The same load with one dispatcher and with two. */
async function measureScaling(system: BenchSystem, load: Load) {
  const scene = {
    door: 'kafka',
    endpoints: 5,
    ordering: 'resource',
    failRate: 0,
    events: 12_000,
  } as const;
  const one = await load.measure(scene);
  await system.addDispatcher();
  await load.warmUp();
  const two = await load.measure(scene);
  return { one: one.deliveries_per_s, two: two.deliveries_per_s };
}
