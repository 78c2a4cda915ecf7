import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROBLEMS } from '#common/http/problem.js';
import type { AppConfig } from './docs/configuration.ts';
import { renderDocuments } from './docs/documents.ts';
import { CONTROL, WORKERS } from './lib/apps.mjs';
import { ROOT } from './lib/paths.mjs';

/** Generates documents from the compiled modules. `npm run docs` builds these first. */
const configs: AppConfig[] = [];
for (const { name: app } of [CONTROL, ...WORKERS]) {
  const { configSchema } = await import(join(ROOT, `dist/apps/${app}/src/config.js`));
  configs.push({ app, schema: configSchema });
}
for (const [path, text] of Object.entries(renderDocuments({ configs, problems: PROBLEMS }))) {
  writeFileSync(join(ROOT, path), text);
  process.stdout.write(`${path}\n`);
}
