const LISTED = /^Later deliveries of (\d+) lanes/;

/** @returns the overtaken lanes that `npm run rebuild` lists */
export function overtakenLanes(output: string): string[] {
  const lines = output.split('\n');
  const from = lines.findIndex((line) => LISTED.test(line));
  return from < 0 ? [] : lines.slice(from + 1).flatMap((line) => (line.startsWith('  ') ? [line.trim()] : []));
}
