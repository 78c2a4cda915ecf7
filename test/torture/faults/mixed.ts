import type { Fault, Scene } from './fault.js';
import { NETWORK_FAULTS } from './networks.js';
import { PROCESS_FAULTS } from './processes.js';
import { SERVER_FAULTS } from './servers.js';

const LASTS_MS = 60_000;
const CALM_MS = 3_000;
/** Share of pauses without a fault, in thousandths, so that recovery is tested, too. */
const CALM_CHANCE = 250;

/**
 * Faults of one half may overlap with those of the other. Both broker faults are in one half: a dead broker cannot be
 * frozen.
 */
const HALVES: readonly (readonly Fault[])[] = [
  [
    PROCESS_FAULTS['dispatcher-kill'],
    PROCESS_FAULTS['scheduler-kill'],
    SERVER_FAULTS['broker-kill'],
    SERVER_FAULTS['broker-freeze'],
    SERVER_FAULTS['postgres-answers'],
    NETWORK_FAULTS['cut-kafka'],
    NETWORK_FAULTS['cut-receiver'],
  ],
  [
    PROCESS_FAULTS['ingest-kill'],
    PROCESS_FAULTS['control-kill'],
    SERVER_FAULTS['produce-answers'],
    SERVER_FAULTS['commit-answers'],
    SERVER_FAULTS['postgres-slow'],
    NETWORK_FAULTS['cut-postgres'],
  ],
];

/** Two faults at a time, in random order, for a minute. */
export const MIXED: Fault = {
  inject: async (scene) => {
    const endAt = Date.now() + LASTS_MS;
    await Promise.all(HALVES.map((half) => oneAfterAnother(scene, endAt, half)));
  },
};

async function oneAfterAnother(scene: Scene, endAt: number, own: readonly Fault[]): Promise<void> {
  while (Date.now() < endAt) {
    if (scene.random.chance(CALM_CHANCE)) await scene.last(CALM_MS);
    else await scene.random.among(own).inject(scene);
  }
}
