import type { TortureRun } from './torture-run.js';

/** Lost, disordered and repeated, by the receiver alone. */
export async function simpleJudgement(run: TortureRun) {
  const requests = await run.requests();
  const byEndpoint = Map.groupBy(requests, ({ endpointId }) => endpointId);
  let lost = 0;
  let outOfOrder = 0;
  let duplicates = 0;
  const examples: string[] = [];
  for (const endpoint of run.tested) {
    const own = byEndpoint.get(endpoint.id) ?? [];
    const accepted = new Map<string, number>();
    for (const request of own.filter(({ status }) => status === 200)) {
      if (accepted.has(request.eventId)) duplicates++;
      else accepted.set(request.eventId, request.endedLine ?? 0);
    }
    const wanted = run.load.acknowledged.filter(({ type }) =>
      endpoint.eventTypes.some((s) => s.endsWith('*') || s === type),
    );
    for (const { id } of wanted) {
      if (!accepted.has(id)) {
        lost++;
        examples.push(`${endpoint.path} ${id}`);
      }
    }
    if (endpoint.ordering !== 'resource') continue;
    for (const events of Map.groupBy(wanted, ({ resource }) => resource).values()) {
      let last = -1;
      for (const { id } of events) {
        const line = accepted.get(id) ?? -1;
        if (line < last) outOfOrder++;
        last = Math.max(last, line);
      }
    }
  }
  return { requests: requests.length, lost, outOfOrder, duplicates, examples: examples.slice(0, 5) };
}
