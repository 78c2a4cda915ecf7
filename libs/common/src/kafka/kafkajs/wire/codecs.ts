import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { InflatedTooLargeError } from './inflated-bytes.js';
import { lz4Inflate } from './lz4.js';
import { snappyInflate } from './snappy.js';

/** Most bytes a batch may inflate to, and most that are inflated of one fetch of a partition before it is handed over. */
export const MAX_INFLATED_BYTES = 32 * 1_048_576;

type Inflate = (packed: Buffer, maxBytes: number) => Buffer | Promise<Buffer>;

/** By the number that the attributes of a batch have. */
const CODECS: Readonly<Record<number, Inflate>> = {
  1: (packed, maxBytes) => offLoop(promisify(zlib.gunzip)(packed, limits(packed, maxBytes)), maxBytes),
  2: snappyInflate,
  3: lz4Inflate,
  4: (packed, maxBytes) => {
    // Node has it from 22.15 on.
    if (zlib.zstdDecompress === undefined) throw new Error(`zstd is not known to Node ${process.versions.node}`);
    return offLoop(promisify(zlib.zstdDecompress)(packed, limits(packed, maxBytes)), maxBytes);
  },
};

export function isCompressed(codec: number): boolean {
  return codec !== 0;
}

/**
 * @param codec 1 gzip, 2 snappy, 3 lz4, 4 zstd
 * @throws InflatedTooLargeError
 * @throws Error when the codec is unknown, or the bytes are not its format
 */
export async function inflate(codec: number, packed: Buffer, maxBytes = MAX_INFLATED_BYTES): Promise<Buffer> {
  const known = CODECS[codec];
  if (known === undefined) throw new Error(`codec ${codec} is unknown`);
  return known(packed, maxBytes);
}

/** By default every 16 KiB of output is a trip to another thread. */
function limits({ length }: Buffer, maxOutputLength: number): { chunkSize: number; maxOutputLength: number } {
  return { chunkSize: Math.min(Math.max(length * 4, MIN_CHUNK_BYTES), MAX_CHUNK_BYTES), maxOutputLength };
}

const MIN_CHUNK_BYTES = 16_384;
const MAX_CHUNK_BYTES = 1_048_576;

async function offLoop(inflated: Promise<Buffer>, maxBytes: number): Promise<Buffer> {
  try {
    return await inflated;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'ERR_BUFFER_TOO_LARGE' ? new InflatedTooLargeError(maxBytes) : error;
  }
}
