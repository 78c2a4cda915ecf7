import { readFileSync } from 'node:fs';
import { PROBLEMS } from '#common/http/problem.js';
import { configSchema as control } from '../../apps/control/src/config.js';
import { configSchema as dispatcher } from '../../apps/dispatcher/src/config.js';
import { configSchema as ingest } from '../../apps/ingest/src/config.js';
import { configSchema as retryScheduler } from '../../apps/retry-scheduler/src/config.js';
import { renderDocuments } from './documents.ts';

const documents = renderDocuments({
  configs: [
    { app: 'control', schema: control },
    { app: 'ingest', schema: ingest },
    { app: 'dispatcher', schema: dispatcher },
    { app: 'retry-scheduler', schema: retryScheduler },
  ],
  problems: PROBLEMS,
});

describe('documents written from code', () => {
  it.each(Object.entries(documents))(
    'given the sources as they are, then %s is up to date (npm run docs)',
    (path, text) => {
      expect(readFileSync(path, 'utf8')).toBe(text);
    },
  );
});
