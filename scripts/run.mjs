import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runCommand } from './lib/command.mjs';
import { runAgainOnAppNode, runsTypeScript } from './lib/node-binary.mjs';
import { ROOT } from './lib/paths.mjs';
import { UserError } from './lib/settings.mjs';

const NOT_BUILT = `The apps are not built. Start the system, which builds them: npm start
Or build them alone:                                          npm ci && npm run build`;

/*
 * `node scripts/run.mjs <command> [options]`: runs scripts/<command>.ts. On an older Node.js without type stripping,
 * the Node.js that npm installed runs the command.
 */
await runCommand(async () => {
  const [name = ''] = process.argv.slice(2);
  const script = join(ROOT, 'scripts', `${basename(name)}.ts`);
  if (!existsSync(script)) throw new UserError(`There is no command "${name}"`);
  if (!runsTypeScript()) return runAgainOnAppNode();
  // The command reads its options from argv, as when Node.js runs it directly.
  process.argv.splice(1, 2, script);
  await import(pathToFileURL(script).href).catch((error) => {
    throw isBuilt() || error.code !== 'ERR_MODULE_NOT_FOUND' ? error : new UserError(NOT_BUILT);
  });
  return undefined;
});

/** @returns {boolean} whether the compiled modules and packages exist that commands import */
function isBuilt() {
  return ['node_modules', 'dist/libs'].every((folder) => existsSync(join(ROOT, folder)));
}
