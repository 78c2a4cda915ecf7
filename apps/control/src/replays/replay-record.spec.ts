import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import { replayRecord } from './replay-record.js';

const keyText = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;
const OLD = keyText('k1');
const signer = new DeadLetterSigner(OLD);
const PARTS = { key: Buffer.from('ep_1:inv-1'), value: Buffer.from('{}'), packed: 'packed' };
const base64 = (text: string) => Buffer.from(text).toString('base64');

function macAfterReplay(over: { reason?: string; mac?: string; value?: Buffer | null; isPacked?: boolean } = {}) {
  const { reason = 'max_retries', mac, value = PARTS.value, isPacked = true } = over;
  const headers = {
    'posthorn-dead-reason': base64(reason),
    ...(isPacked ? { posthorn: base64(PARTS.packed) } : {}),
    ...(mac === undefined ? {} : { 'posthorn-mac': base64(mac) }),
  };
  return replayRecord({ reason, key: PARTS.key, value, headers }, signer).headers?.['posthorn-mac']?.toString();
}

describe('replayRecord', () => {
  it('given a dead letter without a MAC, then it is signed', () => {
    expect(macAfterReplay()).toBe(signer.sign(PARTS));
  });

  it('given a MAC of a key that is gone, then it is signed with the first one', () => {
    expect(macAfterReplay({ mac: new DeadLetterSigner(keyText('k0')).sign(PARTS) })).toBe(signer.sign(PARTS));
  });

  it.each([
    { given: 'a valid MAC', mac: signer.sign(PARTS) },
    { given: 'a MAC that does not match', mac: signer.sign({ ...PARTS, packed: 'other' }) },
  ])('given $given, then it stays as it is', ({ mac }) => {
    expect(macAfterReplay({ mac })).toBe(mac);
  });

  it.each([
    { given: 'a payload_error, which may be forged', over: { reason: 'payload_error' } },
    { given: 'no value', over: { value: null } },
    { given: 'no delivery', over: { isPacked: false } },
  ])('given $given, then it gets no MAC', ({ over }) => {
    expect(macAfterReplay(over)).toBeUndefined();
  });
});
