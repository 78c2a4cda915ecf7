import type { FaultName } from '../../../scripts/torture/catalogue.mjs';
import { CLOCK_FAULTS } from './clocks.js';
import type { Fault } from './fault.js';
import { HOLD_FAULTS } from './holds.js';
import { KEY_FAULTS } from './keys.js';
import { LOG_FAULTS } from './logs.js';
import { MIXED } from './mixed.js';
import { NETWORK_FAULTS } from './networks.js';
import { PROCESS_FAULTS } from './processes.js';
import { RECORD_FAULTS } from './records.js';
import { REPLACED_LOG_FAULTS } from './replaced-logs.js';
import { RESTORE_FAULTS } from './restored-database.js';
import { SERVER_FAULTS } from './servers.js';
import { TRANSACTION_FAULTS } from './transactions.js';

/** Implementations of the catalogue's faults. */
const FAULTS: Readonly<Record<FaultName | 'mixed', Fault>> = {
  ...PROCESS_FAULTS,
  ...SERVER_FAULTS,
  ...NETWORK_FAULTS,
  ...RECORD_FAULTS,
  ...TRANSACTION_FAULTS,
  ...LOG_FAULTS,
  ...REPLACED_LOG_FAULTS,
  ...RESTORE_FAULTS,
  ...CLOCK_FAULTS,
  ...HOLD_FAULTS,
  ...KEY_FAULTS,
  mixed: MIXED,
};

/** @throws Error for an unknown name */
export function faultOf(name: string): Fault {
  const fault = Object.entries(FAULTS).find(([known]) => known === name)?.[1];
  if (fault === undefined) throw new Error(`there is no fault ${name}`);
  return fault;
}
