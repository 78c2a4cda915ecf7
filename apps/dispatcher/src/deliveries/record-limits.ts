/** DI token of {@link RecordLimits}. */
export const RECORD_LIMITS = Symbol('RecordLimits');

export interface RecordLimits {
  /** Largest record batch the topics take. */
  readonly batchBytes: number;
}
