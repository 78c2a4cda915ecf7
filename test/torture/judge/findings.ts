import { type Finding, MAX_FINDINGS, type PromiseVerdict } from './verdict.js';

/** @param checked number of checks; 0 means no evidence */
export function verdictOf(checked: number, findings: readonly Finding[]): PromiseVerdict {
  const outcome = findings.length > 0 ? 'broken' : checked === 0 ? 'void' : 'kept';
  return { outcome, checked, findings: findings.slice(0, MAX_FINDINGS), broken: findings.length };
}

/** `12:04:05.678`, UTC. */
export function clock(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}
