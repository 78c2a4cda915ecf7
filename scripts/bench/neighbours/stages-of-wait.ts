import type { KafkaClient } from '#common/kafka/port/kafka-client.js';
import { DELIVERY_HEADER, decodeDelivery } from '#common/records/delivery-record.js';
import { percentiles } from '../percentiles.ts';
import type { Arrival } from './messages.ts';

/** Time to read `deliveries`. Later records are left out. */
const READ_LIMIT_MS = 20_000;

type Percentiles = Pick<ReturnType<typeof percentiles>, 'p50' | 'p99'>;

/** Where the watched events waited, in ms. */
export interface StagesOfWait {
  /** From publishing until `ingest` has the event. */
  readonly api: Percentiles;
  /** Until `deliveries` has the delivery. */
  readonly router: Percentiles;
  /** Until the request arrives. */
  readonly dispatcher: Percentiles;
  /** Events that the figures are of. */
  readonly of: number;
}

class TimeIsOver extends Error {}

/** Splits the wait of each event by the times that the broker gave its records: read afterwards, so nothing is disturbed. */
export async function stagesOfWait(
  kafka: KafkaClient,
  endpointId: string,
  arrivals: readonly Arrival[],
): Promise<StagesOfWait> {
  const byId = new Map(arrivals.map((arrival) => [arrival.id, arrival]));
  const waits = { api: [] as number[], router: [] as number[], dispatcher: [] as number[] };
  const deadline = Date.now() + READ_LIMIT_MS;
  const sinceMs = (arrivals[0]?.publishedAt ?? Date.now()) - 1;
  const reading = kafka.readRange({ topic: 'deliveries', sinceMs }, async (records) => {
    for (const { headers, timestamp } of records) {
      const meta = decodeDelivery(headers[DELIVERY_HEADER]);
      const arrival = meta?.endpointId === endpointId && !meta.returned ? byId.get(meta.eventId) : undefined;
      if (meta === undefined || arrival?.arrivedAt === undefined) continue;
      byId.delete(meta.eventId);
      waits.api.push(meta.acceptedAt - arrival.publishedAt);
      waits.router.push(timestamp - meta.acceptedAt);
      waits.dispatcher.push(arrival.arrivedAt - timestamp);
    }
    if (Date.now() > deadline) throw new TimeIsOver();
  });
  await reading.catch((error: unknown) => {
    if (!(error instanceof TimeIsOver)) throw error;
  });
  const of = (values: number[]) => {
    const { p50, p99 } = percentiles(values);
    return { p50, p99 };
  };
  return { api: of(waits.api), router: of(waits.router), dispatcher: of(waits.dispatcher), of: waits.api.length };
}
