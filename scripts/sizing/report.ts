import { sizeOf, type Traffic } from './model.ts';

/** The limiting resource of each part when traffic grows. */
const LIMITS = {
  ingest: 'more processes, up to the partitions of `ingest`',
  dispatcher: 'more processes, up to the partitions of `deliveries`',
  control: 'more processes, up to the partitions of `attempts`',
  kafka: 'more brokers; a broker of several cores serves several of these',
  postgres: 'one server: a larger one, and faster disks',
};

export function printSizing(traffic: Traffic) {
  const { cores, disk, partitions } = sizeOf(traffic);
  const { events, endpoints, bytes, failing } = traffic;
  console.log(
    `${events} events/s of ${bytes} bytes, each to ${endpoints} endpoints, ${failing * 100} % of the attempts failing:`,
  );
  console.table(
    Object.fromEntries(
      cores.map(({ name, cores: needed, processes }) => [
        name,
        {
          cores: Number(needed.toFixed(2)),
          processes: name in { kafka: 1, postgres: 1 } ? '' : processes,
          'when it grows': LIMITS[name as keyof typeof LIMITS],
        },
      ]),
    ),
  );
  console.table(
    Object.fromEntries(
      disk.map(({ name, gbPerMillion, gb }) => [
        name,
        {
          'GB per million events': Number(gbPerMillion.toFixed(2)),
          'days kept': name === 'kafka' ? traffic.topicDays : traffic.days,
          'GB in all': Number(gb.toFixed(1)),
        },
      ]),
    ),
  );
  console.log(`at least ${partitions} partitions (LOG_PARTITIONS); times the replication factor for Kafka's disks`);
}
