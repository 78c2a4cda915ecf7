import { describe, expect, it } from '@jest/globals';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import { macKeyOf, signedHeaders } from './signing.ts';

const signer = new DeadLetterSigner(`k1:${Buffer.alloc(32, 1).toString('base64')}`);
const KEY = Buffer.from('ep_1:inv-1');
const VALUE = Buffer.from('{}');
const headers = (reason: string) => ({ posthorn: Buffer.from('packed'), 'posthorn-dead-reason': Buffer.from(reason) });

describe('signedHeaders', () => {
  it('given a dead letter, then the dispatcher accepts its MAC', () => {
    const signed = signedHeaders({ key: KEY, value: VALUE, headers: headers('max_retries') }, signer);
    const mac = signed?.['posthorn-mac'] as string;
    expect(signer.verify({ key: KEY, value: VALUE, packed: 'packed' }, mac)).toBe('valid');
    expect(macKeyOf({ headers: signed ?? {} })).toBe('k1');
  });

  it.each([
    { given: 'a payload_error', record: { key: KEY, value: VALUE, headers: headers('payload_error') } },
    { given: 'no key', record: { key: null, value: VALUE, headers: headers('max_retries') } },
    { given: 'no headers', record: { key: KEY, value: VALUE, headers: {} } },
  ])('given $given, then nothing is signed', ({ record }) => {
    expect(signedHeaders(record, signer)).toEqual(record.headers);
  });
});
