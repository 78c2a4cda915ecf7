import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { inflate, MAX_INFLATED_BYTES } from './codecs.js';
import { PACKED_BY_JAVA, unpacked } from './testing/packed-by-java.js';

const NAMES = { 1: 'gzip', 2: 'snappy', 3: 'lz4', 4: 'zstd' };
const CODECS = Object.entries(NAMES).map(([number, name]) => ({ codec: Number(number), name }));
const MIB = 1_048_576;
const packedByJava = (codec: number) => Buffer.from(PACKED_BY_JAVA[codec] ?? '', 'base64');

describe('inflate', () => {
  it.each(CODECS)("given what Java's client compressed with $name, then it is as it was", async ({ codec }) => {
    expect((await inflate(codec, packedByJava(codec))).equals(unpacked())).toBe(true);
  });

  it('given snappy in one block, as other clients write it, then it is read', async () => {
    const framed = packedByJava(2);
    const block = framed.subarray(20, 20 + framed.readInt32BE(16));
    expect((await inflate(2, block)).equals(unpacked())).toBe(true);
  });

  it('given an LZ4 frame of stored and linked blocks, with all its options, then it is read', async () => {
    const stored = Buffer.from('stored ');
    // Seven literals, and a copy of eight bytes from the block before.
    const linked = Buffer.concat([Buffer.from([0x74]), Buffer.from('linked '), Buffer.from([14, 0])]);
    const frame = Buffer.concat([
      Buffer.from('04224d18', 'hex'),
      // Version 1, blocks that depend on one another, checksums of blocks and content, a content size.
      Buffer.from([0b0101_1100, 0x40]),
      Buffer.alloc(8 + 1),
      int32(stored.length + 2 ** 31),
      stored,
      int32(1),
      int32(linked.length),
      linked,
      int32(2),
      int32(0),
      int32(3),
    ]);
    expect(String(await inflate(3, frame))).toBe('stored linked stored l');
  });

  it.each(CODECS)(
    'given $name bytes that are cut or damaged, then they inflate or are refused, within the limit',
    async ({ codec }) => {
      const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(changes, fc.nat(), async (list, cut) => {
          const bytes = packedByJava(codec);
          for (const [at, byte] of list) bytes[at % bytes.length] = byte;
          const inflated = await inflate(codec, bytes.subarray(0, cut % (bytes.length + 1)), 10_000).catch(
            () => undefined,
          );
          expect(inflated?.length ?? 0).toBeLessThanOrEqual(10_000);
        }),
        { numRuns: 200 },
      );
    },
  );

  it.each([
    { name: 'gzip', codec: 1, bomb: () => gzipSync(Buffer.alloc(64 * MIB), { level: 1 }) },
    { name: 'snappy', codec: 2, bomb: () => snappyBomb(64 * MIB) },
    { name: 'lz4', codec: 3, bomb: () => lz4Bomb(64 * MIB) },
    { name: 'zstd', codec: 4, bomb: () => zstdCompressSync(Buffer.alloc(64 * MIB)) },
  ])('given a bomb in $name, then it is refused', async ({ codec, bomb }) => {
    await expect(inflate(codec, bomb())).rejects.toThrow(`more than ${MAX_INFLATED_BYTES} bytes`);
  });

  it('given a length that promises much, then nothing is set aside for it', async () => {
    const before = process.memoryUsage().arrayBuffers;
    await expect(inflate(2, Buffer.from([0xff, 0xff, 0xff, 0x0f, 0x00, 0x61]))).rejects.toThrow('bytes');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * MIB);
  });

  it('given an unknown codec, then it is refused', async () => {
    await expect(inflate(5, Buffer.alloc(1))).rejects.toThrow('codec 5');
  });
});

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** One literal, then copies of 64 bytes from one byte ago. */
function snappyBomb(length: number): Buffer {
  const copies = Buffer.alloc(3 * Math.ceil(length / 64));
  for (let at = 0; at < copies.length; at += 3) copies.set([(63 << 2) | 2, 1, 0], at);
  return Buffer.concat([Buffer.from([0x80, 0x80, 0x80, 0x20, 0x00, 0x61]), copies]);
}

/** One literal, then a copy whose length goes on for bytes. */
function lz4Bomb(length: number): Buffer {
  const block = Buffer.concat([Buffer.from([0x1f, 0x61, 1, 0]), Buffer.alloc(length / 255, 0xff), Buffer.from([0])]);
  const head = Buffer.concat([Buffer.from('04224d18', 'hex'), Buffer.from([0b0110_0000, 0x40, 0])]);
  return Buffer.concat([head, int32(block.length), block, int32(0)]);
}
