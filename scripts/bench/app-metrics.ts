const TIMEOUT_MS = 10_000;

/** Sums a metric over its labels; 0 for an unknown name. @param label sums only samples with this label, e.g. `topic="ingest"` */
export type MetricSum = (name: string, label?: string) => number;

/** Reads an app's `/metrics`. @throws Error when the app does not answer within 10 s */
export async function readMetrics(port: number): Promise<MetricSum> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const lines = (await response.text()).split('\n');
  return (name, label = '') =>
    lines
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => line.includes(label))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
