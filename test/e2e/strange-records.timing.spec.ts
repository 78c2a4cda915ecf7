import { jest } from '@jest/globals';
import { useSystem } from '../support/use-system.js';
import { whatStrangeRecordsChange } from './strange-records.js';

jest.setTimeout(180_000);

/* 200 of each: strange-records.nightly.spec.ts. */

describe('strange records', () => whatStrangeRecordsChange(useSystem(), 40));
