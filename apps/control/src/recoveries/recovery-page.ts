import type { RecoveryCursor } from '#common/postgres/entities/recovery.js';

/** Most deliveries of one page that are sent; each comes with its body. */
export const SEND_PAGE = 50;
/** Most rows of one page that are looked at, to count them, or to find those to send. */
export const COUNT_SCAN = 2_000;
export const SEND_SCAN = 500;

/** The result of one page of a job. */
export type RecoveryPage =
  | {
      /** Where the next one begins; undefined when there is none. */
      readonly cursor: RecoveryCursor | undefined;
      /** Deliveries found, to be counted; of a page that is sent, those that were and those that were not. */
      readonly found: number;
      readonly sent: number;
    }
  | { readonly problem: string };
