import type { Delivery } from './lane-delivery.js';
import type { Random } from './random.js';

/** What a history consists of, and how much may go wrong in it. Chances are in thousandths. */
export interface Shape {
  readonly resources: number;
  /** Of a step, that something goes wrong in it. */
  readonly faultPermille: number;
  /** Steps from one record read to the next, at least, of some owners. */
  readonly readSteps: number;
  /** Steps from one commit to the next, at least. */
  readonly commitSteps: number;
  /** The deliveries of the last resource have no order: each is a lane of its own. */
  readonly hasUnordered: boolean;
  readonly endpoints: number;
  readonly deliveriesPerResource: number;
  readonly maxAttempts: number;
  readonly maxAttemptsOfReplay: number;
  /** An idle lane leaves the memory at once, and not only now and then. */
  readonly forgetsAtOnce: boolean;
  readonly pageSize: number;
  readonly attemptFails: number;
  /** An answer is lost: of the endpoint, Kafka or Postgres; what was asked for may have been done all the same. */
  readonly answerLost: number;
  /** A statement whose answer was lost is still under way, and is done later. */
  readonly statementLate: number;
  /** Commit metadata had to be cut short. */
  readonly metadataCut: number;
  /** The committed offset is fetched before the epoch is raised, not after. */
  readonly startsBeforeFence: boolean;
  /** A transaction whose row would go back does nothing at all; otherwise only its row is left alone. */
  readonly isStrict: boolean;
  readonly faults: Readonly<Record<Fault, number>>;
}

/** How often each may happen. */
export type Fault =
  | 'crash'
  | 'loss'
  | 'routerRepeat'
  | 'returnRepeat'
  | 'hold'
  | 'replay'
  | 'expire'
  | 'skip'
  | 'probe'
  | 'outage'
  | 'forget'
  | 'janitor';

export function shapeOf(random: Random): Shape {
  // Half of them have little, so that much happens to it.
  const isBusy = random.chance(500);
  const resources = 1 + random.pick(isBusy ? 1 : 3);
  const often = (most: number) => random.pick(isBusy ? 2 * most : most);
  return {
    resources,
    faultPermille: random.among([20, 40, 80]),
    readSteps: random.among([0, 20]),
    commitSteps: random.among([1, 5, 25]),
    hasUnordered: random.chance(250),
    endpoints: Math.min(resources, 1 + random.pick(2)),
    deliveriesPerResource: 1 + random.pick(isBusy ? 6 : 4),
    maxAttempts: 2 + random.pick(2),
    maxAttemptsOfReplay: 2,
    forgetsAtOnce: random.chance(500),
    pageSize: 1 + random.pick(3),
    attemptFails: random.among([100, 300, 500]),
    answerLost: random.among([0, 50, 150]),
    statementLate: random.among([0, 0, 700]),
    metadataCut: random.among([0, 0, 300]),
    startsBeforeFence: random.chance(300),
    isStrict: random.chance(500),
    faults: {
      crash: often(4),
      loss: often(3),
      routerRepeat: random.pick(3),
      returnRepeat: often(3),
      hold: often(5),
      replay: random.pick(3),
      expire: random.pick(2),
      skip: random.pick(2),
      probe: random.pick(3),
      outage: random.pick(2),
      forget: often(6),
      janitor: random.pick(2),
    },
  };
}

/** In the order the router writes them: the resources take turns. */
export function deliveriesOf({ resources, deliveriesPerResource, endpoints, hasUnordered }: Shape): Delivery[] {
  const deliveries: Delivery[] = [];
  for (let index = 0; index < deliveriesPerResource; index++) {
    for (let resource = 0; resource < resources; resource++) {
      const id = resource * 100 + index;
      const isOrdered = !(hasUnordered && resource === resources - 1);
      const lane = isOrdered ? `r${resource}` : `d${id}`;
      deliveries.push({ id, index, life: 0, lane, isOrdered, endpoint: resource % endpoints });
    }
  }
  return deliveries;
}
