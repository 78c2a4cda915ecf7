/** @param {{ tsx: boolean }} syntax */
function swc({ tsx }) {
  const transform = { legacyDecorator: true, decoratorMetadata: true, react: { runtime: 'automatic' } };
  const parser = { syntax: 'typescript', decorators: true, tsx };
  return ['@swc/jest', { jsc: { target: 'es2024', parser, transform }, module: { type: 'es6' } }];
}

/** Unit and property tests are next to the code. Integration and end-to-end tests in test/ need real servers. */
const common = {
  testEnvironment: 'node',
  setupFiles: ['<rootDir>/test/support/quiet.ts'],
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  moduleNameMapper: {
    '^#common/(.*)\\.js$': '<rootDir>/libs/common/src/$1.ts',
    '^#control/(.*)\\.js$': '<rootDir>/apps/control/src/$1.ts',
    '^#ingest/(.*)\\.js$': '<rootDir>/apps/ingest/src/$1.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: { '^.+\\.ts$': swc({ tsx: false }), '^.+\\.tsx$': swc({ tsx: true }) },
};

/** Fixtures install published packages, whose own tests do not belong to this run. */
const PACKED = ['<rootDir>/(packages|web)/[^/]+/(fixtures|dist)/'];

const withServers = {
  ...common,
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
};

export default {
  testTimeout: 30_000,
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/{apps,libs,packages,web,scripts,test/simulation,test/support/strange-records,test/torture/*}/**/*.spec.{ts,tsx}',
      ],
      testPathIgnorePatterns: PACKED,
      modulePathIgnorePatterns: PACKED,
    },
    { ...withServers, displayName: 'integration', testMatch: ['<rootDir>/test/integration/**/*.spec.ts'] },
    // Each file of the next three projects starts a whole system.
    { ...common, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/!(*.timing|*.nightly).spec.ts'] },
    // Tests with limits of a second or less: no other test runs in parallel.
    { ...common, displayName: 'timing', testMatch: ['<rootDir>/test/e2e/*.timing.spec.ts'] },
    // Tests that take minutes.
    { ...common, displayName: 'nightly', testMatch: ['<rootDir>/test/e2e/*.nightly.spec.ts'] },
    // Started by `npm run torture` alone.
    { ...common, displayName: 'torture', testMatch: ['<rootDir>/test/torture/*.spec.ts'] },
  ],
};
