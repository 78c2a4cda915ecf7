import type { Fault, Scene } from './fault.js';
import { NETWORK_FAULTS } from './networks.js';
import { PROCESS_FAULTS } from './processes.js';
import { SERVER_FAULTS } from './servers.js';

const LASTS_MS = 60_000;
const CALM_MS = 3_000;
/** In thousandths: how often nothing is broken for a while, as recovery must be seen, too. */
const CALM_CHANCE = 250;

/** Those that may overlap with any other. */
const MIXABLE: readonly (readonly [string, Fault])[] = Object.entries({
  'dispatcher-kill': PROCESS_FAULTS['dispatcher-kill'],
  'ingest-kill': PROCESS_FAULTS['ingest-kill'],
  'scheduler-kill': PROCESS_FAULTS['scheduler-kill'],
  'control-kill': PROCESS_FAULTS['control-kill'],
  'broker-kill': SERVER_FAULTS['broker-kill'],
  'broker-freeze': SERVER_FAULTS['broker-freeze'],
  'produce-answers': SERVER_FAULTS['produce-answers'],
  'commit-answers': SERVER_FAULTS['commit-answers'],
  'postgres-answers': SERVER_FAULTS['postgres-answers'],
  'postgres-slow': SERVER_FAULTS['postgres-slow'],
  'cut-kafka': NETWORK_FAULTS['cut-kafka'],
  'cut-postgres': NETWORK_FAULTS['cut-postgres'],
  'cut-receiver': NETWORK_FAULTS['cut-receiver'],
});

/** Two at a time, in an order of the seed's, for a minute. */
export const MIXED: Fault = {
  inject: async (scene) => {
    const endAt = Date.now() + LASTS_MS;
    await Promise.all([oneAfterAnother(scene, endAt, 0), oneAfterAnother(scene, endAt, 1)]);
  },
};

/** @param half the two sequences draw from halves that have nothing in common, so that no fault meets itself */
async function oneAfterAnother(scene: Scene, endAt: number, half: number): Promise<void> {
  const own = MIXABLE.filter((_, index) => index % 2 === half);
  while (Date.now() < endAt) {
    if (scene.random.chance(CALM_CHANCE)) await scene.last(CALM_MS);
    else await scene.random.among(own)[1].inject(scene);
  }
}
