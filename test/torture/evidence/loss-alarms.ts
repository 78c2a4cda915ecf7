import type { LossAlarm } from '../judge/evidence.js';

const MESSAGE = 'log.records_lost_to_retention';

/**
 * Reads an app's alarms about lost records.
 *
 * @param log lines of JSON; other lines, e.g. a stack trace, are skipped
 * @param process name of the log's process
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
