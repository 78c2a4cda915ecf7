/** The neighbours of a watched endpoint, and what they get. */
export interface Neighbours {
  readonly endpoints: number;
  /** Path at the crowd; `refuse` is a closed port. */
  readonly behaviour: 'hang' | 'refuse' | `after/${number}`;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Events for the neighbours alone. */
  readonly flood?: { readonly perSecond: number } | { readonly burst: number; readonly everyS: number };
  /** Bytes of such an event. */
  readonly bytes?: number;
}

/** A watched endpoint, and its neighbours. */
export interface Case {
  /** Begins with the row: `endpoints` share a tenant and the watched events, `tenants` share nothing. */
  readonly name: string;
  readonly row: 'endpoints' | 'tenants';
  /** Watched events per second. */
  readonly perSecond: number;
  readonly isOneResource?: boolean;
  readonly neighbours?: Neighbours;
  /** Limit of the p99, in ms. Without one it follows from the case without neighbours. */
  readonly mostP99?: number;
}

const endpoints = (name: string, perSecond: number, neighbours?: Neighbours): Case => ({
  name: `endpoints: ${name}`,
  row: 'endpoints',
  perSecond,
  ...(neighbours ? { neighbours } : {}),
});

const TENANT_P99_MS = 150;
/** Where 5000 events per second fill both cores. */
const FULL_P99_MS = 250;
const QUIET_PER_S = 5;

const tenants = (name: string, neighbours?: Neighbours, mostP99 = TENANT_P99_MS): Case => ({
  name: `tenants: ${name}`,
  row: 'tenants',
  perSecond: QUIET_PER_S,
  ...(neighbours ? { neighbours } : {}),
  mostP99,
});

export const CASES: readonly Case[] = [
  endpoints('alone, 60/s', 60),
  endpoints('beside 1 s', 60, { endpoints: 1, behaviour: 'after/1000' }),
  { ...endpoints('beside 1 s, one resource', 60, { endpoints: 1, behaviour: 'after/1000' }), isOneResource: true },
  endpoints('beside hanging', 60, { endpoints: 1, behaviour: 'hang' }),
  endpoints('beside refusing', 60, { endpoints: 1, behaviour: 'refuse' }),
  endpoints('beside 10/s', 60, { endpoints: 1, behaviour: 'after/0', settings: { max_per_second: 10 } }),
  endpoints('beside a burst', 60, { endpoints: 1, behaviour: 'after/0', flood: { burst: 20_000, everyS: 20 } }),
  endpoints('alone, 250/s', 250),
  endpoints('beside 200 ms, 250/s', 250, { endpoints: 1, behaviour: 'after/200' }),
  tenants('alone'),
  tenants('5000/s', { endpoints: 1, behaviour: 'after/0', flood: { perSecond: 5_000 } }, FULL_P99_MS),
  tenants('30/s × 300', { endpoints: 300, behaviour: 'after/0', flood: { perSecond: 30 } }),
  tenants('12 of 200 KB × 300', {
    endpoints: 300,
    behaviour: 'after/0',
    flood: { burst: 12, everyS: 20 },
    bytes: 200_000,
  }),
  tenants('30/s × 300 of 3 s', { endpoints: 300, behaviour: 'after/3000', flood: { perSecond: 30 } }),
];

/** @param only part of the name; cases without neighbours are kept where a limit follows from them */
export function casesOf(only: string): Case[] {
  const named = CASES.filter(({ name }) => name.includes(only));
  const isReference = (each: Case) => named.some((other) => referenceOf(other) === each);
  return CASES.filter((each) => named.includes(each) || isReference(each));
}

/** @returns the case without neighbours, of the same row and rate */
export function referenceOf({ row, perSecond }: Case): Case | undefined {
  return CASES.find((each) => each.row === row && each.perSecond === perSecond && each.neighbours === undefined);
}
