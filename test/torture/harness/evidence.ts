import { existsSync, readFileSync } from 'node:fs';
import { kafkaClient } from '../../../scripts/lib/kafka-client.js';
import { readAlarms } from '../evidence/loss-alarms.js';
import { readPostgres } from '../evidence/postgres-rows.js';
import { newCommits, newLogs, readGenerationAlarms } from '../evidence/replaced-logs.js';
import { mergeTopics, readTopics } from '../evidence/topic-contents.js';
import type { Budgets, CommitSample, Evidence, LossAlarm, PromiseName, TopicContents } from '../judge/evidence.js';
import type { TortureRun } from './torture-run.js';
import type { TortureSystem } from './torture-system.js';

/** Default budgets of a run. */
const BUDGETS: Budgets = {
  duplicates: 'explained',
  staleRepeats: 'explained',
  stallMs: 30_000,
  healMs: 60_000,
  isolationMs: undefined,
};
/** Promises beyond P1 to P3. */
const MUST_JUDGE: readonly PromiseName[] = ['P6', 'P7', 'P8'];

export interface EvidenceOptions {
  readonly seed: number;
  readonly budgets: Partial<Budgets>;
  readonly mustJudge: readonly PromiseName[];
  readonly commits: readonly CommitSample[];
}

/** Reads all evidence of a run. */
export async function collectEvidence(run: TortureRun, options: EvidenceOptions): Promise<Evidence> {
  const { system } = run;
  const kafka = kafkaClient({ clientId: 'evidence', brokers: system.brokers.direct, isQuiet: true });
  const [rows, topics, requests] = await Promise.all([
    readPostgres(system.postgresUrl),
    readTopics(kafka),
    run.requests(),
  ]);
  return {
    run: {
      ...{ name: run.name, seed: options.seed, startedAt: run.startedAt, loadEndedAt: run.loadEndedAt },
      ...{ healedAt: Math.max(run.startedAt, ...run.faults.map(({ to }) => to)), quietAt: run.quietAt },
      ...{ readAt: Date.now(), budgets: { ...BUDGETS, ...options.budgets } },
      mustJudge: [...MUST_JUDGE, ...options.mustJudge],
    },
    endpoints: run.tested,
    ledger: run.ledger.entries,
    requests,
    rows,
    topics: mergeTopics(run.topicsBefore, newLogs(topics, run.replaced)),
    commits: newCommits(options.commits, run.replaced),
    processes: system.supervised.events.filter(({ at }) => at >= run.startedAt),
    faults: run.faults,
    alarms: alarmsOf(system).filter(({ at }) => at >= run.startedAt),
    restored: run.restored,
  };
}

/** Reads the present records, for a fault that deletes some. */
export function readAllTopics(system: TortureSystem): Promise<TopicContents[]> {
  return readTopics(kafkaClient({ clientId: 'evidence', brokers: system.brokers.direct, isQuiet: true }));
}

function alarmsOf(system: TortureSystem): LossAlarm[] {
  return system.apps.all().flatMap(({ name }) => {
    const file = system.logFile(name);
    if (!existsSync(file)) return [];
    const log = readFileSync(file, 'utf8');
    return [...readAlarms(log, name), ...readGenerationAlarms(log, name)];
  });
}
