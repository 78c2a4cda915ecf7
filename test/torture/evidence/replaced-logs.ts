import { positionOf } from '../../../libs/common/src/domain/position.js';
import type { CommitSample, LossAlarm, TopicContents } from '../judge/evidence.js';

/** Logs that were replaced by empty ones. Times in ms since the epoch. */
export interface ReplacedLogs {
  readonly topics: readonly string[];
  readonly at: number;
}

const MESSAGE = 'generation.new';
/** More records than any topic of a run has. */
const MAX_PARTITIONS = 64;

/** Offsets of the new logs as positions of generation 1: above those of the old ones, since one verdict covers both. */
export function newLogs(topics: readonly TopicContents[], replaced: ReplacedLogs | undefined): TopicContents[] {
  return topics.map((contents) => {
    if (!replaced?.topics.includes(contents.topic)) return contents;
    return {
      ...contents,
      records: contents.records.map((record) => ({ ...record, offset: positionOf(1, record.offset) })),
    };
  });
}

export function newCommits(samples: readonly CommitSample[], replaced: ReplacedLogs | undefined): CommitSample[] {
  return samples.map((sample) => {
    if (replaced === undefined || sample.beganAt < replaced.at) return sample;
    const positions = sample.positions.map((position) => {
      if (!replaced.topics.includes(position.topic)) return position;
      const finishedAbove = position.finishedAbove.map((offset) => positionOf(1, offset));
      return { ...position, offset: positionOf(1, position.offset), finishedAbove };
    });
    return { ...sample, positions };
  });
}

/**
 * Reads the apps' reports of new logs: every record of the old ones, read or not, is lost.
 *
 * @param log lines of JSON
 */
export function readGenerationAlarms(log: string, process: string): LossAlarm[] {
  return log
    .split('\n')
    .filter((line) => line.includes(MESSAGE))
    .flatMap((line) => {
      const { time, topic, generation } = JSON.parse(line);
      return Array.from({ length: MAX_PARTITIONS }, (_, partition) => {
        return { at: time, process, topic, partition, lostRecords: 0, nextOffset: positionOf(generation, 0) };
      });
    });
}
