import { MAX_VERSION } from '#common/records/limits.js';

/** The SQL of {@link nextVersion}: a version that PostgreSQL's `int` holds. @param version SQL of an `int` */
export function nextVersionSql(version: string): string {
  return `least(${version}, ${MAX_VERSION - 1}) + 1`;
}
