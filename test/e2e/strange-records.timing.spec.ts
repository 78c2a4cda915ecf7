import { jest } from '@jest/globals';
import { useSystem } from '../support/use-system.js';
import { whatStrangeRecordsChange } from './strange-records.js';

jest.setTimeout(180_000);

/* 40 records of each topic and kind. strange-records.nightly.spec.ts has 200. */

describe('strange records', () => whatStrangeRecordsChange(useSystem(), 40));
