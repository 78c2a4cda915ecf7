import { runCommand } from './lib/command.mjs';
import { optionsOf } from './lib/options.mjs';
import { runningSystem } from './lib/running-system.ts';
import { UserError } from './lib/settings.mjs';

const MAX_EVENTS = 5_000;
const HELP = `Publishes real GitHub webhook payloads to the system that npm start runs, and counts what arrives.

npm run demo [-- --events N]    N from 1 to ${MAX_EVENTS}; each payload once, if left out
`;

await runCommand(main);

/** @returns exit code */
async function main(): Promise<number> {
  const { events, help } = readArguments();
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const run = await runningSystem(process.env);
  // Imported here: on a fresh clone, the message that no system runs must come before one about missing packages.
  const { runDemo } = await import('./demo/run-demo.ts');
  return runDemo(run, events);
}

function readArguments(): { events: number | undefined; help: boolean | undefined } {
  const options = { events: { type: 'string' }, help: { type: 'boolean' } } as const;
  const values = optionsOf(options, { usage: HELP });
  const { help } = values;
  if (values.events === undefined) return { events: undefined, help };
  const events = Number(values.events);
  if (Number.isInteger(events) && events >= 1 && events <= MAX_EVENTS) return { events, help };
  throw new UserError(`--events must be a whole number from 1 to ${MAX_EVENTS}`);
}
