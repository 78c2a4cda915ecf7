import type { PromiseName } from './evidence.js';

/** The verdict of one run. */
export interface Verdict {
  readonly run: string;
  readonly seed: number;
  /** `broken` when a promise is broken, else `void` when the run proved nothing, else `kept`. */
  readonly outcome: Outcome;
  readonly promises: Readonly<Record<PromiseName, PromiseVerdict>>;
  readonly figures: Figures;
  /** Reasons why the run proves nothing: a fault did not fire or hit no work, or a promise had no evidence. */
  readonly voidReasons: readonly string[];
}

export type Outcome = 'kept' | 'broken' | 'void';

export interface PromiseVerdict {
  /** `void`: the run had no evidence for the promise. */
  readonly outcome: Outcome;
  /** Number of checks: of events, requests, lanes, samples. */
  readonly checked: number;
  /** The first findings, at most {@link MAX_FINDINGS}. */
  readonly findings: readonly Finding[];
  /** Number of all findings, including those not listed. */
  readonly broken: number;
}

export const MAX_FINDINGS = 20;

export interface Finding {
  readonly kind: FindingKind;
  /** Text: the observation, and the expectation. */
  readonly text: string;
  readonly eventId?: string;
  readonly endpointId?: string;
  /** Stage of a lost delivery: the last one in the evidence. */
  readonly lastSeen?: Stage;
}

/** Stages of an event, in order. */
export const STAGES = [
  'nowhere',
  'ledger',
  'ingest',
  'events',
  'deliveries',
  'parked',
  'retry_tier',
  'attempts',
  'dlq',
  'receiver',
] as const;
export type Stage = (typeof STAGES)[number];

export type FindingKind =
  /** P1 */
  | 'lost'
  | 'still_waiting'
  | 'poison_not_set_aside'
  /** P2 */
  | 'never_accepted'
  | 'too_many_duplicates'
  | 'too_many_attempts'
  | 'forged'
  /** P3 */
  | 'out_of_order'
  | 'overtaken'
  | 'too_many_stale_repeats'
  | 'accepted_out_of_order'
  /** P4 */
  | 'held_back'
  /** P5 */
  | 'sent_while_open'
  | 'several_probes'
  /** P6 */
  | 'not_quiet'
  | 'healed_late'
  | 'stalled'
  /** P7 */
  | 'committed_too_early'
  | 'commit_went_back'
  | 'skipped_silently'
  /** P8 */
  | 'attempt_untold'
  | 'attempt_invented'
  | 'wrong_status'
  | 'dead_letter_untold';

export interface Figures {
  /** Number of events acknowledged by either door. */
  readonly acknowledged: number;
  /** Number of publishes without an answer. */
  readonly unknown: number;
  /** Number of requests at the receiver. */
  readonly requests: number;
  /** Number of acknowledged deliveries without an end. */
  readonly lost: number;
  /** Number of these that retention deleted and the apps reported. */
  readonly reportedLost: number;
  readonly outOfOrder: number;
  readonly duplicates: number;
  readonly duplicateBudget: number;
  readonly staleRepeats: number;
  readonly staleBudget: number;
  /** Longest time without an arrival while deliveries were due; ms. */
  readonly longestStallMs: number;
  /** Time from the end of the last fault to quiet, ms; undefined when the system did not become quiet. */
  readonly healMs: number | undefined;
}
