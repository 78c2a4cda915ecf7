import { jest } from '@jest/globals';
import { useSystem } from '../support/use-system.js';
import { whatSurvivesKills } from './crashes.js';

/** Jest's limit, above the limits of the tests' own waits, whose messages say more. */
jest.setTimeout(240_000);

describe('kills under load', () => whatSurvivesKills(useSystem()));
