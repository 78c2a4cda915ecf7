import { Injectable } from '@nestjs/common';
import type { Queryable } from '#common/postgres/database.js';
import { knownChanges } from '../changes/changes.js';
import { type Comparison, compareChanges, Standing } from '../changes/standing.js';
import { surveyAll } from './survey.js';
import { ConfigurationTopics } from './topics.js';

/** Compares the topics of configuration with the database, and keeps {@link Standing} up to date. */
@Injectable()
export class Comparer {
  constructor(
    private readonly topics: ConfigurationTopics,
    private readonly standing: Standing,
  ) {}

  get isAhead(): boolean {
    return this.standing.isAhead;
  }

  /** The topics must have been read to their ends. */
  async compare(db: Queryable): Promise<Comparison> {
    const comparison = await this.compareNumbers(db);
    const result = comparison.kind === 'same' ? await this.compareVersions(db) : comparison;
    this.standing.set(result);
    return result;
  }

  /** As {@link compare}, without a look at every key when nothing has changed since. */
  async compareAgain(db: Queryable): Promise<void> {
    const comparison = await this.compareNumbers(db);
    if (comparison.kind === 'same' && this.standing.isSame) return;
    await this.compare(db);
  }

  private async compareNumbers(db: Queryable): Promise<Comparison> {
    const { highest } = this.topics;
    return compareChanges(highest, await knownChanges(db, highest?.sequence ?? 0));
  }

  /** Changes made by processes of an earlier release have no numbers. */
  private async compareVersions(db: Queryable): Promise<Comparison> {
    let newer = 0;
    for (const topic of this.topics.all) newer += (await surveyAll(db, topic, false)).newer.length;
    if (newer === 0) return { kind: 'same' };
    return { kind: 'ahead', reason: `${newer} endpoints or API keys are newer on the topics than in the database` };
  }
}
