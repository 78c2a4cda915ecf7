/** Observations of the good traffic next to strange records. Times in ms of one clock. */
export interface GoodTraffic {
  readonly published: readonly { readonly id: string; readonly at: number }[];
  /** Arrival time at the endpoint, by event id. */
  readonly arrivedAt: ReadonlyMap<string, number>;
  /** Longest time from publishing to arrival. */
  readonly limitMs: number;
  /** Process ids by name, before and after. */
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
}

/** @returns problems as text; empty when all events were delivered in time and no process restarted */
export function judgeGoodTraffic({ published, arrivedAt, limitMs, before, after }: GoodTraffic): string[] {
  if (published.length === 0) return ['there was no good traffic'];
  const problems = published.flatMap(({ id, at }) => {
    const arrived = arrivedAt.get(id);
    if (arrived === undefined) return [`${id} was not delivered`];
    const lateMs = Math.round(arrived - at);
    return lateMs > limitMs ? [`${id} was delivered after ${lateMs} ms`] : [];
  });
  for (const name of Object.keys(before)) if (before[name] !== after[name]) problems.push(`${name} was started again`);
  return problems;
}
