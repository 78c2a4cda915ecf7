import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';

/** Most bytes a batch may inflate to, and most that are inflated of one fetch of a partition before it is handed over. */
export const MAX_INFLATED_BYTES = 32 * 1_048_576;

const NONE = 0;
const GZIP = 1;
const ZSTD = 4;

export function isCompressed(codec: number): boolean {
  return codec !== NONE;
}
export async function inflate(codec: number, packed: Buffer): Promise<Buffer> {
  const maxOutputLength = MAX_INFLATED_BYTES;
  if (codec === GZIP) return promisify(gunzip)(packed, { maxOutputLength });
  if (codec === ZSTD) return promisify(zstdDecompress)(packed, { maxOutputLength });
  throw new Error(`codec ${codec} is unknown`);
}
