import murmur2 from 'kafkajs/src/producer/partitioners/default/murmur2.js';

/** The partition Java's client and every murmur2 client would choose for this key. */
export function partitionOf(key: Buffer | string, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
