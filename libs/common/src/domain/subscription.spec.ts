import fc from 'fast-check';
import {
  EVENT_TYPE_PATTERN,
  operationalSubscriptionMatches,
  SUBSCRIPTION_PATTERN,
  subscriptionMatches,
} from './subscription.js';

const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/);
const eventType = fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => names.join('.'));

describe('subscriptionMatches', () => {
  it.each([
    ['*', 'invoice', true],
    ['*', 'invoice.paid', true],
    ['invoice.paid', 'invoice.paid', true],
    ['invoice.paid', 'invoice.paid.late', false],
    ['invoice.paid', 'invoice', false],
    ['invoice.paid', 'Invoice.Paid', false],
    ['invoice.*', 'invoice.paid', true],
    ['invoice.*', 'invoice.line.added', true],
    ['invoice.*', 'invoice', false],
    ['invoice.*', 'invoices.paid', false],
    ['invoice.*', 'x.invoice.paid', false],
    ['invoice.line.*', 'invoice.line.added', true],
    ['invoice.line.*', 'invoice.paid', false],
  ])('given %s, then it takes %s: %s', (subscription, type, expected) => {
    expect(subscriptionMatches(subscription, type)).toBe(expected);
  });

  it('given any type, then it is taken by itself, by * and by each of its prefixes', () => {
    fc.assert(
      fc.property(eventType, (type) => {
        expect([type, '*'].every((subscription) => subscriptionMatches(subscription, type))).toBe(true);
        const names = type.split('.');
        for (let length = 1; length < names.length; length++) {
          expect(subscriptionMatches(`${names.slice(0, length).join('.')}.*`, type)).toBe(true);
        }
      }),
    );
  });

  it('given any two types, then one takes the other only if it is the other', () => {
    fc.assert(
      fc.property(eventType, eventType, (one, other) => {
        expect(subscriptionMatches(one, other)).toBe(one === other);
      }),
    );
  });
});

describe('operationalSubscriptionMatches', () => {
  it.each([
    ['endpoint.disabled', true],
    ['endpoint.*', true],
    ['*', false],
    ['delivery.*', false],
    ['endpoint.recovered', false],
  ])('given the subscription %s, then endpoint.disabled matches: %s', (subscription, matches) => {
    expect(operationalSubscriptionMatches(subscription, 'endpoint.disabled')).toBe(matches);
  });
});

describe('the patterns', () => {
  it.each(['invoice', 'invoice.paid', 'a-b.c_d.E9'])('take the type %s', (type) => {
    expect([EVENT_TYPE_PATTERN.test(type), SUBSCRIPTION_PATTERN.test(type)]).toEqual([true, true]);
  });

  it.each(['', '.', 'a.', '.a', 'a..b', 'a b', 'ä', 'a.*', '*', 'a\n'])('refuse the type %j', (type) => {
    expect(EVENT_TYPE_PATTERN.test(type)).toBe(false);
  });

  it.each(['*', 'a.*', 'a.b.*'])('take the subscription %s', (subscription) => {
    expect(SUBSCRIPTION_PATTERN.test(subscription)).toBe(true);
  });

  it.each(['', '**', '*.*', '*.a', 'a*', 'a.*.b', 'a.', '.*', 'a.*\n'])(
    'refuse the subscription %j',
    (subscription) => {
      expect(SUBSCRIPTION_PATTERN.test(subscription)).toBe(false);
    },
  );
});
