import { Client } from './client.js';
import { Receiver } from './receiver.js';
import { type RunningSystem, SystemHome } from './system.js';

/** Jest's limit, above the limits of the tests' own waits, whose messages say more. */
const START_LIMIT_MS = 300_000;
const STOP_LIMIT_MS = 60_000;

export interface SystemInUse {
  readonly home: SystemHome;
  readonly system: RunningSystem;
  readonly client: Client;
  /** Receiver that verifies every signature. At the end of the file, all must be valid. */
  readonly receiver: Receiver;
}

/**
 * Runs `npm start` for the tests of a file: starts it before them, and stops it after them.
 *
 * @returns parts of the system, available within tests
 */
export function useSystem(env: NodeJS.ProcessEnv = {}): SystemInUse {
  const parts: Partial<{ -readonly [Part in keyof SystemInUse]: SystemInUse[Part] }> = {};

  beforeAll(async () => {
    parts.home = await SystemHome.create();
    parts.receiver = await Receiver.start();
    parts.system = await parts.home.start(env);
    parts.client = await Client.connect(parts.system);
  }, START_LIMIT_MS);

  afterAll(async () => {
    await parts.client?.close();
    await parts.home?.stop();
    await parts.receiver?.stop();
    parts.home?.remove();
    expect(parts.receiver?.forged).toEqual([]);
  }, STOP_LIMIT_MS);

  const part = <Name extends keyof SystemInUse>(name: Name): SystemInUse[Name] => {
    const found = parts[name];
    if (found === undefined) throw new Error(`there is no ${name}: the system did not start`);
    return found as SystemInUse[Name];
  };
  return {
    get home() {
      return part('home');
    },
    get system() {
      return part('system');
    },
    get client() {
      return part('client');
    },
    get receiver() {
      return part('receiver');
    },
  };
}
