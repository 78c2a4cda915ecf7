import { describe, expect, it } from '@jest/globals';
import { OpenTransactions } from './open-transactions.js';

const log = { name: 'log/0', topic: 't.log', partition: 0, commit: 4, stable: 10, end: 12 };

describe('OpenTransactions', () => {
  it('given records behind the last stable offset for long enough, then their partition is named', () => {
    const transactions = new OpenTransactions();
    transactions.look(0, [log]);
    expect(transactions.report(29_000, 30_000)).toBeUndefined();
    transactions.look(30_000, [{ ...log, end: 15 }]);
    expect(transactions.report(30_000, 30_000)).toBe('an open transaction has held 5 records of log/0 for 30 s');
  });

  it('given a transaction that ends while another is open, then the time begins again', () => {
    const transactions = new OpenTransactions();
    transactions.look(0, [log]);
    transactions.look(20_000, [{ ...log, stable: 11, end: 20 }]);
    expect(transactions.report(35_000, 30_000)).toBeUndefined();
    transactions.look(50_000, [{ ...log, stable: 20, end: 20 }]);
    expect(transactions.report(90_000, 30_000)).toBeUndefined();
  });

  it('given a partition whose offsets are unknown, then it is not named', () => {
    const transactions = new OpenTransactions();
    transactions.look(0, [{ ...log, outage: 'no leader' }]);
    expect(transactions.report(90_000, 30_000)).toBeUndefined();
  });
});
