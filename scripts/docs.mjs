import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderDocuments } from './docs/documents.mjs';
import { CONTROL, WORKERS } from './lib/apps.mjs';
import { ROOT } from './lib/paths.mjs';

/** Writes the documents that follow from code. Reads what was built: npm run docs builds first. */
const { PROBLEMS } = await import(built('libs/common/src/http/problem.js'));
const configs = [];
for (const { name: app } of [CONTROL, ...WORKERS]) {
  const { configSchema } = await import(built(`apps/${app}/src/config.js`));
  configs.push({ app, schema: configSchema });
}
for (const [path, text] of Object.entries(renderDocuments({ configs, problems: PROBLEMS }))) {
  writeFileSync(join(ROOT, path), text);
  process.stdout.write(`${path}\n`);
}

/** @param {string} path */
function built(path) {
  return join(ROOT, 'dist', path);
}
