/**
 * Every fault, in the order of the table: its title, and whether `.ci/run` runs it. test/torture/faults implements
 * them.
 *
 * @typedef {{ title: string, isFixed?: true }} FaultEntry
 */
export const CATALOGUE = /** @type {const} @satisfies {Record<string, FaultEntry>} */ ({
  'dispatcher-kill': { title: 'each dispatcher killed under load' },
  'dispatcher-points': { title: 'a dispatcher killed at ten points of its work', isFixed: true },
  'ingest-kill': { title: 'each ingest killed under load' },
  'ingest-points': { title: 'an ingest killed at seven points of its work', isFixed: true },
  'scheduler-kill': { title: 'each retry-scheduler killed under load' },
  'scheduler-points': { title: 'a retry-scheduler killed at four points of its work', isFixed: true },
  'control-kill': { title: 'each control killed under load' },
  'control-points': { title: 'a control killed at five points of its work' },
  sigterm: { title: 'SIGTERM to each process, then to all at once', isFixed: true },
  storm: { title: 'dispatchers come and go every 0.5 to 2 s', isFixed: true },
  zombie: { title: 'a dispatcher frozen past its session goes on', isFixed: true },
  'broker-stop': { title: 'broker stopped for 4 s' },
  'broker-kill': { title: 'broker killed, back after 4 s', isFixed: true },
  'broker-freeze': { title: 'broker frozen for 5 s' },
  'broker-freeze-long': { title: 'broker frozen for 14 s, beyond sessions' },
  'produce-answers': { title: 'answers to produces lost', isFixed: true },
  'commit-answers': { title: 'answers to offset commits lost' },
  'postgres-answers': { title: 'answers to PostgreSQL commits lost' },
  'postgres-stop': { title: 'PostgreSQL killed, back after 12 s', isFixed: true },
  'postgres-freeze': { title: 'PostgreSQL silent for 12 s' },
  'postgres-slow': { title: 'PostgreSQL 2 s slower a statement' },
  'postgres-lock': { title: 'the table of parked deliveries locked for 8 s' },
  'postgres-password': { title: 'the password of PostgreSQL changed for 8 s', isFixed: true },
  'database-renamed': { title: 'the database renamed for 8 s', isFixed: true },
  'cut-kafka': { title: 'one dispatcher cut off from Kafka alone, beyond its session', isFixed: true },
  'refuse-kafka': { title: 'all apps cut off from Kafka for 6 s' },
  'slow-kafka': { title: 'Kafka 0.6 s slower a request' },
  'cut-postgres': { title: 'one dispatcher cut off from PostgreSQL for 12 s' },
  'cut-receiver': { title: 'dispatchers cut off from two endpoints' },
  'dns-dead': { title: 'no name server answers for 8 s' },
  'dns-slow': { title: 'name servers answer after 1.5 s' },
  poison: { title: '52 poison records', isFixed: true },
  transactions: { title: 'transactions of another producer, committed and aborted, on every topic', isFixed: true },
  'strange-records': { title: 'malformed, forged and out-of-range records on every topic', isFixed: true },
  duplicates: { title: 'events published again, at once and later' },
  retention: { title: 'unread deliveries deleted by retention', isFixed: true },
  'retry-topic-gone': { title: 'the topic retry-4s deleted', isFixed: true },
  'log-truncated': { title: 'retry-4s loses its tail, and grows past it again' },
  'partitions-added': { title: 'a partition added to five topics while deliveries wait' },
  'kafka-replaced': { title: 'Kafka’s data wiped while nothing runs, PostgreSQL kept', isFixed: true },
  'postgres-restored': { title: 'PostgreSQL restored from a backup, reconciled and rebuilt under load' },
  'topic-recreated': { title: 'the topic deliveries deleted and made again' },
  'replay-killed': { title: 'a replay of everything killed half-way, beside live traffic' },
  'clock-ahead': { title: 'three processes’ clocks 1 h ahead for 5 s' },
  'clock-behind': { title: 'three processes’ clocks 1 h behind for 5 s', isFixed: true },
  breaker: { title: 'an endpoint fails until its breaker opens, and recovers; a dispatcher killed half-open' },
  'bad-endpoints': { title: 'one endpoint hangs, one is down, beside healthy ones' },
  'late-writes': { title: 'statements of a dispatcher arrive after it lost its partitions' },
  'wrong-key': { title: 'a dispatcher starts with a wrong key; then a new key comes to control first', isFixed: true },
});

/** @typedef {keyof typeof CATALOGUE} FaultName */

/** A random choice of faults. */
export const MIXED = { name: 'mixed', title: 'two at a time for a minute, as the seed chooses' };

/** Faults that also run with three brokers, of which one is hit. */
export const ON_THREE_BROKERS = /** @type {const} @satisfies {readonly FaultName[]} */ ([
  'broker-stop',
  'broker-kill',
  'broker-freeze-long',
  'produce-answers',
  'dispatcher-kill',
]);
