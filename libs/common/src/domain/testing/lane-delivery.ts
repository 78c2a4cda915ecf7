/** One life of a delivery: a replay of a dead letter is the next one. */
export interface Delivery {
  readonly id: number;
  readonly index: number;
  readonly life: number;
  readonly lane: string;
  readonly isOrdered: boolean;
  readonly endpoint: number;
}

export interface LogRecord {
  readonly kind: 'first' | 'return' | 'replay';
  readonly delivery: Delivery;
  /** Of a return. */
  readonly place: number;
  readonly attempt: number;
}
