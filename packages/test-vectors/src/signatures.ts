import { readFileSync } from 'node:fs';

/** A signed message: see packages/test-vectors/README.md. */
export interface SignatureVector {
  readonly description: string;
  readonly secrets: readonly string[];
  readonly id: string;
  readonly timestamp_s: number;
  readonly body_base64: string;
  readonly standard: string;
  readonly timestamped: string;
}

export const SIGNATURES: readonly SignatureVector[] = JSON.parse(
  readFileSync('packages/test-vectors/signatures.json', 'utf8'),
);
