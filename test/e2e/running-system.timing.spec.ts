import { jest } from '@jest/globals';
import { useSystem } from '../support/use-system.js';
import { whatEndpointsGet } from './deliveries.js';
import { whatIsRefused } from './refusals.js';
import { ofSlowestSchedule, whatBecomesOfFailures } from './retries.js';

/** Jest's limit, above the limits of the tests' own waits, whose messages say more. */
jest.setTimeout(240_000);

/**
 * One system for all these files: a start takes longer than most tests. The slowest schedule, a minute and a half, also
 * runs in parallel with other tests.
 */
describe('a running system', () => {
  const use = useSystem();
  const schedule = ofSlowestSchedule(use);

  describe('messages at an endpoint', () => whatEndpointsGet(use));
  describe('rejected requests and records', () => whatIsRefused(use));
  describe('deliveries that fail', () => whatBecomesOfFailures(use, schedule));
});
