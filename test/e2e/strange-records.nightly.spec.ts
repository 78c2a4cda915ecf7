import { jest } from '@jest/globals';
import { useSystem } from '../support/use-system.js';
import { whatStrangeRecordsChange } from './strange-records.js';

jest.setTimeout(300_000);

describe('strange records', () => whatStrangeRecordsChange(useSystem(), 200));
