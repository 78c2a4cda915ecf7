import config from './.dependency-cruiser.mjs';

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
      from: { path: '^(apps|libs/common)/' },
      to: { circular: true },
    },
  ],
  options: { ...config.options, exclude: { path: '(^|/)(dist|coverage|testing)/|\\.spec\\.ts$' } },
};
