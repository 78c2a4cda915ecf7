/** Unit and property tests live beside the code; integration and end-to-end tests in test/ need real servers. */
const common = {
  testEnvironment: 'node',
  setupFiles: ['<rootDir>/test/support/quiet.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^#common/(.*)\\.js$': '<rootDir>/libs/common/src/$1.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2024',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
};

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
        '<rootDir>/{apps,libs,scripts,test/simulation,test/support/strange-records,test/torture/*}/**/*.spec.ts',
      ],
    },
    { ...withServers, displayName: 'integration', testMatch: ['<rootDir>/test/integration/**/*.spec.ts'] },
    // Each file of the next three projects starts a whole system.
    { ...common, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/!(*.timing|*.nightly).spec.ts'] },
    // Tests with limits of a second or less: no other test runs beside them.
    { ...common, displayName: 'timing', testMatch: ['<rootDir>/test/e2e/*.timing.spec.ts'] },
    // Tests that take minutes.
    { ...common, displayName: 'nightly', testMatch: ['<rootDir>/test/e2e/*.nightly.spec.ts'] },
    // Started by `npm run torture` alone.
    { ...common, displayName: 'torture', testMatch: ['<rootDir>/test/torture/*.spec.ts'] },
  ],
};
