/** What is known of the good traffic beside strange records. Times in ms of one clock. */
export interface GoodTraffic {
  readonly published: readonly { readonly id: string; readonly at: number }[];
  /** When an event arrived at its endpoint, by its id. */
  readonly arrivedAt: ReadonlyMap<string, number>;
  /** How late an event may be. */
  readonly limitMs: number;
  /** Process ids by name, before and after. */
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
}

/** @returns what is wrong, for people; nothing when all was delivered in time and no process started again */
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
