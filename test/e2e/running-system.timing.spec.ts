import { jest } from '@jest/globals';
import { useSystem } from '../support/use-system.js';
import { whatSurvivesKills } from './crashes.js';
import { whatEndpointsGet } from './deliveries.js';
import { whatIsRefused } from './refusals.js';
import { ofSlowestSchedule, whatBecomesOfFailures } from './retries.js';

/** Beyond all that a test waits for, whose own limits say more. */
jest.setTimeout(240_000);

/**
 * One system for all of them. Each would start one for itself, which takes longer than most of what it tries; and the
 * slowest schedule waits, for a minute and a half, while others are tried.
 */
describe('a running system', () => {
  const use = useSystem();
  const schedule = ofSlowestSchedule(use);

  describe('what an endpoint gets', () => whatEndpointsGet(use));
  describe('what it refuses', () => whatIsRefused(use));
  describe('what becomes of a delivery that fails', () => whatBecomesOfFailures(use, schedule));
  describe('what survives when its parts are killed under load', () => whatSurvivesKills(use));
});
