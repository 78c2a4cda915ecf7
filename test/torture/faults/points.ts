import type { AppName, AppProcess } from '../../support/app-processes.js';
import { until } from '../../support/until.js';
import type { Caller, Link, Trap } from '../harness/link.js';
import { socketOwner } from '../harness/socket-owner.js';
import { type Scene, setTraps } from './fault.js';

/** A point of an app's work at which it is killed, seen by the links. */
export interface Point {
  readonly app: AppName;
  readonly at: string;
  readonly links: (scene: Scene) => readonly Link[];
  readonly trap: Trap;
}

const SPRUNG_LIMIT_MS = 15_000;

const kafka = ({ system }: Scene) => system.brokers.links;
const postgres = ({ system }: Scene) => [system.postgresLink];
const steady = ({ run }: Scene) => [run.endpoints.steady.link];

const PRODUCE = /^Produce$/;
const COMMIT = /^OffsetCommit$/;

export const DISPATCHER_POINTS: readonly Point[] = [
  point('dispatcher', 'POST sent', steady, { moment: 'sent', kind: /bytes/ }),
  point('dispatcher', 'POST answered', steady, { moment: 'answered', kind: /bytes/ }),
  point('dispatcher', 'before outcome', kafka, { moment: 'before', kind: PRODUCE, topic: /^attempts$/ }),
  point('dispatcher', 'outcome stored', kafka, { moment: 'answered', kind: PRODUCE, topic: /^attempts$/ }),
  point('dispatcher', 'before retry', kafka, { moment: 'before', kind: PRODUCE, topic: /^retry-/ }),
  point('dispatcher', 'retry stored', kafka, { moment: 'answered', kind: PRODUCE, topic: /^retry-/ }),
  point('dispatcher', 'before parking', postgres, { moment: 'before', kind: /^lane_write$/ }),
  point('dispatcher', 'parked', postgres, { moment: 'answered', kind: /^lane_write$/ }),
  point('dispatcher', 'before commit', kafka, { moment: 'before', kind: COMMIT }),
  point('dispatcher', 'committed', kafka, { moment: 'answered', kind: COMMIT }),
];

export const INGEST_POINTS: readonly Point[] = [
  point('ingest', 'before produce', kafka, { moment: 'before', kind: PRODUCE, topic: /^ingest$/ }),
  point('ingest', 'produced, before the 202', kafka, { moment: 'answered', kind: PRODUCE, topic: /^ingest$/ }),
  point('ingest', 'before archiving', postgres, { moment: 'before', kind: /^(?!startup|protocol|parse)/ }),
  point('ingest', 'archived', postgres, { moment: 'answered', kind: /^(?!startup|protocol|parse)/ }),
  point('ingest', 'before fan-out', kafka, { moment: 'before', kind: PRODUCE, topic: /^deliveries$/ }),
  point('ingest', 'fanned out', kafka, { moment: 'answered', kind: PRODUCE, topic: /^deliveries$/ }),
  point('ingest', 'before commit', kafka, { moment: 'before', kind: COMMIT }),
];

export const SCHEDULER_POINTS: readonly Point[] = [
  point('retry-scheduler', 'before return', kafka, { moment: 'before', kind: PRODUCE, topic: /^deliveries$/ }),
  point('retry-scheduler', 'returned', kafka, { moment: 'answered', kind: PRODUCE, topic: /^deliveries$/ }),
  point('retry-scheduler', 'before commit', kafka, { moment: 'before', kind: COMMIT }),
  point('retry-scheduler', 'committed', kafka, { moment: 'answered', kind: COMMIT }),
];

export const CONTROL_POINTS: readonly Point[] = [
  point('control', 'before projecting', postgres, { moment: 'before', kind: /^COMMIT$/ }),
  point('control', 'projected', postgres, { moment: 'answered', kind: /^COMMIT$/ }),
  point('control', 'before commit', kafka, { moment: 'before', kind: COMMIT }),
  point('control', 'before announcing', kafka, { moment: 'before', kind: PRODUCE, topic: /^endpoints$/ }),
  point('control', 'announced', kafka, { moment: 'answered', kind: PRODUCE, topic: /^endpoints$/ }),
];

function point(app: AppName, at: string, links: Point['links'], trap: Omit<Trap, 'client'>): Point {
  // A request to an endpoint does not name its process.
  const client = trap.kind.test('bytes') && links === steady ? {} : { client: new RegExp(`^(posthorn-)?${app}-`) };
  return { app, at, links, trap: { ...trap, ...client } };
}

/** Kills at one point after the other, the first process that reaches it. */
export async function killAt(scene: Scene, points: readonly Point[]): Promise<void> {
  for (const { app, at, links, trap } of points) {
    const hit: string[] = [];
    const onSprung = (caller: Caller) => {
      for (const process of victims(scene, app, caller)) {
        hit.push(process.name);
        void scene.system.supervised.kill(process);
      }
    };
    const traps = setTraps(links(scene), { ...trap, onSprung });
    // `fired` stays 0 for a point that is never reached, which makes the run void.
    await until(`${app} came to the point "${at}"`, () => hit.length > 0, SPRUNG_LIMIT_MS).catch(() => undefined);
    const moment = Date.now();
    const fired = traps.disarm();
    scene.note({
      ...{ kind: 'kill', target: `${hit.join(' and ') || app}: ${at}`, from: moment, to: moment },
      // The request at which the process was recognised.
      ...{ fired, inFlight: fired },
    });
    await scene.system.supervised.allReady();
  }
}

/** The calling process; all processes of the app if the caller is unknown. */
function victims({ system }: Scene, app: AppName, { name, port }: Caller): AppProcess[] {
  const candidates = system.apps.all().filter((process) => process.app === app);
  const pids = candidates.map(({ server }) => server.pid);
  const owner = name === undefined && port !== undefined ? socketOwner(port, pids) : undefined;
  const isMeant = ({ name: candidate, server }: AppProcess) =>
    name === undefined ? owner !== undefined && server.pid === owner : name.replace(/^posthorn-/, '') === candidate;
  const known = candidates.filter(isMeant);
  return known.length > 0 ? known : candidates;
}
