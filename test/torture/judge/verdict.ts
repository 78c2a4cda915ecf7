import type { PromiseName } from './evidence.js';

/** What the evidence says of one run. */
export interface Verdict {
  readonly run: string;
  readonly seed: number;
  /** `broken` when a promise is, else `void` when the run proved nothing, else `kept`. */
  readonly outcome: Outcome;
  readonly promises: Readonly<Record<PromiseName, PromiseVerdict>>;
  readonly figures: Figures;
  /** Why the run proves nothing; empty unless a fault did not fire, hit no work, or a promise had nothing to judge. */
  readonly voidReasons: readonly string[];
}

export type Outcome = 'kept' | 'broken' | 'void';

export interface PromiseVerdict {
  /** `void`: there was nothing to judge it by. */
  readonly outcome: Outcome;
  /** How many things were looked at: events, requests, lanes, samples. */
  readonly checked: number;
  /** What breaks it; the first of them, {@link MAX_FINDINGS} at most. */
  readonly findings: readonly Finding[];
  /** All of them, also those that are not listed. */
  readonly broken: number;
}

export const MAX_FINDINGS = 20;

export interface Finding {
  readonly kind: FindingKind;
  /** For people: what was seen, and what should have been. */
  readonly text: string;
  readonly eventId?: string;
  readonly endpointId?: string;
  /** Of a lost delivery: the last place it can be shown to have reached. */
  readonly lastSeen?: Stage;
}

/** The way of an event, in its order. */
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
  /** Events acknowledged by either door. */
  readonly acknowledged: number;
  /** Events whose answer never came. */
  readonly unknown: number;
  /** Requests at the receiver. */
  readonly requests: number;
  /** Deliveries that were acknowledged and ended nowhere. */
  readonly lost: number;
  /** Of them: lost to retention, and reported by the apps. */
  readonly reportedLost: number;
  readonly outOfOrder: number;
  readonly duplicates: number;
  readonly duplicateBudget: number;
  readonly staleRepeats: number;
  readonly staleBudget: number;
  /** Longest time without an arrival while deliveries were due; ms. */
  readonly longestStallMs: number;
  /** From the end of the last fault to quiet; ms; undefined when it did not become quiet. */
  readonly healMs: number | undefined;
}
