import { ProblemError } from '#common/http/problem.js';

/** A lane, and the log it is in: together they name its rows. */
export interface LaneName {
  /** `topic/partition` of `deliveries`. */
  readonly log: string;
  readonly lane: string;
}

/** A lane's id in URLs. No log's name has a line feed. */
export function encodeLaneId({ log, lane }: LaneName): string {
  return Buffer.from(`${log}\n${lane}`).toString('base64url');
}

/** @throws ProblemError NOT_FOUND when the text is no lane's id */
export function decodeLaneId(id: string): LaneName {
  const text = Buffer.from(id, 'base64url').toString();
  const end = text.indexOf('\n');
  const isOurs =
    end > 0 && !text.includes('\0') && encodeLaneId({ log: text.slice(0, end), lane: text.slice(end + 1) }) === id;
  if (!isOurs) throw new ProblemError('NOT_FOUND', 'there is no such lane');
  return { log: text.slice(0, end), lane: text.slice(end + 1) };
}
