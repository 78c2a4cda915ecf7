import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import kafkajsCrc from 'kafkajs/src/protocol/recordBatch/crc32C/index.js';
import { crc32c } from './crc32c.js';

it('given the digits, then the check value of CRC-32C', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
});

it('given any bytes, then the checksum kafkajs computes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) =>
      expect(crc32c(bytes)).toBe(kafkajsCrc(Buffer.from(bytes))),
    ),
  );
});
