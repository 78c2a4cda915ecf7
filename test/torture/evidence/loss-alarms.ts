import type { LossAlarm } from '../judge/evidence.js';

const MESSAGE = 'log.records_lost_to_retention';

/**
 * What an app said of records that it found gone.
 *
 * @param log lines of JSON; others, e.g. a stack trace, are passed over
 * @param process whose log it is
 */
export function readAlarms(log: string, process: string): LossAlarm[] {
  return log
    .split('\n')
    .filter((line) => line.includes(MESSAGE))
    .flatMap((line) => {
      const { time, topic, partition, lost_records, next_offset } = JSON.parse(line);
      return [{ at: time, process, topic, partition, lostRecords: lost_records, nextOffset: next_offset }];
    });
}
