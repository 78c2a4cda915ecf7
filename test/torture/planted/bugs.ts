import type { FindingKind } from '../judge/verdict.js';
import type { Patch } from './planted-build.js';

/** A planted bug, which the judge must find. */
export interface Bug {
  readonly title: string;
  readonly patch: Patch;
  /** The fault of scripts/torture/catalogue.mjs that triggers the bug. */
  readonly fault: string;
  /** Expected findings, of which at least one must occur. */
  readonly findings: readonly FindingKind[];
  /** Part of the fault's own error, for faults that check a state without evidence. */
  readonly failure?: string;
}

export const BUGS = {
  'commit-before-post': {
    title: 'a delivery is finished before its attempt is made',
    patch: {
      file: 'apps/dispatcher/src/attempts/turns.js',
      text: 'outcome = await this.attempts.make(delivery);',
      becomes: 'delivery.log.finish(delivery.offset);\n            outcome = await this.attempts.make(delivery);',
    },
    fault: 'dispatcher-kill',
    findings: ['lost', 'committed_too_early'],
  },
  'ack-before-produce': {
    title: 'the API acknowledges an event before Kafka has it',
    patch: {
      file: 'apps/ingest/src/api/publisher.js',
      text: 'await writeAll(this.producer, records, { timeoutMs: this.limits.timeoutMs });',
      becomes: 'writeAll(this.producer, records, { timeoutMs: this.limits.timeoutMs }).catch(() => undefined);',
    },
    fault: 'ingest-points',
    findings: ['lost'],
  },
  'lane-order-skipped': {
    title: 'a delivery does not wait for the head of its lane',
    patch: {
      file: 'libs/common/src/domain/lane-judgement.js',
      text: "if (place > head.place)\n        return 'wait';",
      becomes: "if (place > head.place)\n        return 'go';",
    },
    fault: 'control-kill',
    findings: ['out_of_order', 'overtaken'],
  },
  'park-row-dropped': {
    title: 'the first of several parked deliveries is not stored',
    patch: {
      file: 'apps/dispatcher/src/lanes/active-lane.js',
      text: 'park: park.map((item) => this.toRecord(item))',
      becomes: 'park: park.slice(1).map((item) => this.toRecord(item))',
    },
    fault: 'control-kill',
    findings: ['lost'],
  },
  'retry-after-commit': {
    title: 'a retry is handed to its tier after the source was committed',
    patch: {
      file: 'apps/dispatcher/src/lanes/active-lane.js',
      text: 'return this.store(item.work);',
      becomes:
        'return ((end) => { setTimeout(() => void this.home.turns.store(item.work, end).catch(() => undefined), 1000); return Promise.resolve(); })(this.end);',
    },
    fault: 'dispatcher-kill',
    findings: ['lost', 'committed_too_early'],
  },
  'probes-ignore-breaker': {
    title: 'every dispatcher gives itself a permit to probe',
    patch: {
      file: 'libs/common/src/postgres/lane-limits.js',
      text: 'return rows.length > 0;',
      becomes: 'return true;',
    },
    fault: 'breaker',
    findings: ['several_probes'],
  },
  'no-epoch-fence': {
    title: 'a lane is written by whoever held its partition once',
    patch: {
      file: 'libs/common/src/postgres/lane-statements.js',
      text: "FROM lane_logs WHERE log = $1 AND epoch = $2'",
      becomes: "FROM lane_logs WHERE log = $1 AND epoch >= $2'",
    },
    fault: 'late-writes',
    findings: ['not_quiet', 'still_waiting', 'lost', 'too_many_stale_repeats', 'too_many_duplicates'],
  },
  'out-of-range-ignored': {
    title: 'a position that left the log is passed over without a word',
    patch: {
      file: 'libs/common/src/domain/start-offset.js',
      text: 'lostRecords: Math.max(0, low - offset - gone),',
      becomes: 'lostRecords: 0,',
    },
    fault: 'retention',
    findings: ['lost', 'skipped_silently'],
  },
  'joins-without-keys': {
    title: 'a dispatcher joins its group although it lacks keys that endpoints need',
    patch: {
      file: 'apps/dispatcher/src/endpoints/endpoint-keys.js',
      text: 'if (this.keys.lacking().length === 0)\n            this.found.resolve();',
      becomes: 'this.found.resolve();',
    },
    fault: 'wrong-key',
    findings: [],
    failure: 'joined its group without the keys endpoints need',
  },
  'strange-record-throws': {
    title: 'a record that is no delivery throws instead of being set aside',
    patch: {
      file: 'apps/dispatcher/src/deliveries.consumer.js',
      text: 'void this.replace(log, record, poisonRecord(record, delivery.detail, Date.now(), this.limits.batchBytes));',
      becomes: 'throw new Error(delivery.detail);',
    },
    fault: 'strange-records',
    findings: ['lost', 'still_waiting', 'not_quiet', 'poison_not_set_aside', 'healed_late', 'stalled'],
  },
} as const satisfies Record<string, Bug>;

export type BugName = keyof typeof BUGS;
export const BUG_NAMES = Object.keys(BUGS) as readonly BugName[];
