import config from './.dependency-cruiser.mjs';

/**
 * Folders of libs/common that make a cycle today, each with the folders it imports within the cycle. UPWARD_IMPORTS of the
 * main configuration names the files that make it. No folder is added here.
 */
const KNOWN = {
  records: ['http', 'kafka'],
  http: ['records', 'security', 'config'],
  kafka: ['records', 'security'],
  security: ['records', 'kafka'],
  config: ['security'],
};
const LIBS = '^libs/common/src/';
const known = Object.keys(KNOWN).join('|');

/**
 * No cycle between folders of the apps and of libs/common. Specs and test helpers are left out: they import from anywhere,
 * and nothing of the product imports them. A folder and a folder within it: `features-know-no-top`.
 *
 * @type {import('dependency-cruiser').IConfiguration}
 */
export default {
  forbidden: [
    {
      name: 'no-folder-cycle',
      comment: 'Move what both folders need into a folder below them.',
      severity: 'error',
      scope: 'folder',
      from: { path: '^(apps|libs/common)/', pathNot: `${LIBS}(${known})$` },
      to: { circular: true },
    },
    ...Object.entries(KNOWN).map(([folder, targets]) => ({
      name: `no-new-folder-cycle-of-${folder}`,
      comment: 'The folder makes a cycle with those in KNOWN, and with no other.',
      severity: 'error',
      scope: 'folder',
      from: { path: `${LIBS}${folder}$` },
      to: { circular: true, pathNot: `${LIBS}(${targets.join('|')})$` },
    })),
  ],
  options: { ...config.options, exclude: { path: '(^|/)(dist|coverage|testing)/|\\.spec\\.ts$' } },
};
