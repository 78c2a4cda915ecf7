/**
/** Rooms of the dispatcher, top first. */
const ROOMS_OF_DISPATCHER = ['lanes', 'generations', 'attempts', 'endpoints', 'deliveries'];

/**
 * The direction of imports: apps → adapters of libs/common → domain. `npm run lint` fails on an import against it. A second
 * configuration forbids cycles of folders.
 *
 * @type {import('dependency-cruiser').IConfiguration}
 */
export default {
  forbidden: [
    {
      name: 'no-cycle',
      comment: 'A cycle means that the shared part belongs in a third module.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'domain-is-pure',
      comment: 'The domain decides over plain data: it imports only itself and node:crypto.',
      severity: 'error',
      from: { path: '^libs/common/src/domain/', pathNot: '\\.spec\\.ts$|/testing/' },
      to: { pathNot: '^libs/common/src/domain/|^(node:)?crypto$' },
    },
    {
      name: 'one-home-for-kafkajs',
      comment: 'Only one folder imports kafkajs, so that another Kafka client can replace it.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/common/src/kafka/kafkajs/|\\.spec\\.ts$' },
      to: { path: 'node_modules/kafkajs(/|$)' },
    },
    {
      name: 'one-choice-of-kafka-client',
      comment: 'The product sees kafka/port/. Only kafka/connect.ts chooses the client behind it.',
      severity: 'error',
      from: {
        path: '^(apps|libs)/',
        pathNot: '^libs/common/src/kafka/(kafkajs/|connect\\.ts$)|\\.spec\\.ts$|/testing/',
      },
      to: { path: '^libs/common/src/kafka/kafkajs/' },
    },
    {
      name: 'apps-see-the-port',
      comment:
        'Apps know the interfaces, tokens, settings and pure helpers of kafka/port/, and what Nest needs of kafka/.',
      severity: 'error',
      from: { path: '^apps/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/common/src/kafka/', pathNot: '^libs/common/src/kafka/(port/|[^/]+$)' },
    },
    {
      name: 'kafka-knows-no-top',
      comment: 'The top folder of kafka joins port and client: a part that imports it makes a cycle of folders.',
      severity: 'error',
      from: { path: '^libs/common/src/kafka/[^/]+/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/common/src/kafka/[^/]+$' },
    },
    {
      name: 'kafkajs-knows-no-top',
      comment: 'The top folder of kafkajs joins its parts.',
      severity: 'error',
      from: { path: '^libs/common/src/kafka/kafkajs/[^/]+/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^libs/common/src/kafka/kafkajs/[^/]+$' },
    },
    {
      name: 'wire-is-bytes',
      comment: "Kafka's formats are decoded and encoded without a client.",
      severity: 'error',
      from: { path: '^libs/common/src/kafka/kafkajs/wire/', pathNot: '\\.spec\\.ts$' },
      to: { path: 'node_modules/kafkajs(/|$)|^libs/common/src/kafka/kafkajs/(?!wire/)' },
    },
    {
      name: 'one-home-for-postgres',
      comment: 'SQL clients stay behind libs/common/src/postgres.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/common/src/postgres/' },
      to: { path: 'node_modules/(typeorm|pg|@types/pg)(/|$)' },
    },
    {
      name: 'one-home-for-undici',
      comment: 'Every request to an endpoint passes the address policy, which only libs/common/src/http applies.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '^libs/common/src/http/' },
      to: { path: 'node_modules/undici(/|$)' },
    },
    {
      name: 'apps-are-apart',
      comment: 'Apps meet in topics and tables.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'features-know-no-top',
      comment: 'The top folder of an app joins its folders: a folder that imports it makes a cycle of folders.',
      severity: 'error',
      from: { path: '^apps/(control|dispatcher)/src/[^/]+/' },
      to: { path: '^apps/$1/src/[^/]+$' },
    },
    ...ROOMS_OF_DISPATCHER.slice(1).map((room, index) => ({
      name: `dispatcher-${room}-imports-down`,
      comment: 'A delivery passes the rooms of the dispatcher from top to bottom (docs/architecture.md#code).',
      severity: 'error',
      from: { path: `^apps/dispatcher/src/${room}/`, pathNot: '\\.spec\\.ts$' },
      to: { path: `^apps/dispatcher/src/(${ROOMS_OF_DISPATCHER.slice(0, index + 1).join('|')})/` },
    })),
    {
      name: 'libs-know-no-app',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'receiver-stands-alone',
      comment: 'libs/receiver is shipped to customers who receive webhooks.',
      severity: 'error',
      from: { path: '^libs/receiver/' },
      to: { path: '^(apps|libs|test|scripts)/', pathNot: '^libs/receiver/' },
    },
    {
      name: 'product-knows-no-test',
      severity: 'error',
      from: { path: '^(apps|libs|scripts)/', pathNot: '\\.spec\\.ts$|/testing/' },
      to: { path: '^test/|\\.spec\\.ts$|/testing/' },
    },
    {
      name: 'before-the-install',
      comment:
        'A .mjs of scripts/ runs on Node 20.19, with nothing installed: packages and TypeScript are imported late.',
      severity: 'error',
      from: { path: '^scripts/.*\\.mjs$' },
      to: { path: '\\.ts$|node_modules/', dynamic: false },
    },
    {
      name: 'no-barrel',
      comment: 'A file that re-exports others hides the source of a name, and makes cycles.',
      severity: 'error',
      from: { path: '/index[.](ts|mjs|js)$', pathNot: 'node_modules' },
      to: {},
    },
    {
      name: 'runtime-dependencies',
      comment: 'The image holds no devDependencies.',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '\\.spec\\.ts$|/testing/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' },
    },
    {
      name: 'no-unresolvable',
      comment: 'An unresolved import escapes every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      // `types` resolves #common/… to the sources, since dist may be missing.
      conditionNames: ['types', 'import', 'node', 'default'],
      exportsFields: ['exports'],
      extensions: ['.ts', '.mjs', '.js', '.d.ts'],
      mainFields: ['main', 'types'],
    },
  },
};
