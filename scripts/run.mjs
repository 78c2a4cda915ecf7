import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runCommand } from './lib/command.mjs';
import { runAgainOnAppNode, runsTypeScript } from './lib/node-binary.mjs';
import { ROOT } from './lib/paths.mjs';
import { UserError } from './lib/settings.mjs';

/*
 * `node scripts/run.mjs <command> [options]`: runs scripts/<command>.ts. An older Node.js, which cannot read TypeScript,
 * starts the one that npm installed.
 */
await runCommand(async () => {
  const [name = ''] = process.argv.slice(2);
  const script = join(ROOT, 'scripts', `${basename(name)}.ts`);
  if (!existsSync(script)) throw new UserError(`There is no command "${name}"`);
  if (!runsTypeScript()) return runAgainOnAppNode();
  // The command finds its options where it finds them when Node.js starts it directly.
  process.argv.splice(1, 2, script);
  await import(pathToFileURL(script).href);
  return undefined;
});
