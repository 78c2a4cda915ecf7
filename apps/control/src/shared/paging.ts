import { z } from 'zod';
import { ProblemError } from '#common/http/problem.js';
import { isStorableText, time } from '#common/http/validation.js';
import { MAX_TIME_MS } from '#common/records/limits.js';

export const MAX_PAGE = 200;
const DEFAULT_PAGE = 50;

/** Query parameters of every list. */
export const pageQuery = {
  cursor: z.string().max(1_024).optional().describe('`next_cursor` of the page before'),
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(DEFAULT_PAGE).describe('most items of one page'),
};

/** Query parameters of lists that have a time; both ends are RFC 3339. */
export const timeQuery = {
  since: time().optional().describe('at or after this time'),
  until: time().optional().describe('before this time'),
};

export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().describe('for the next page; null at the end'),
  });
}

/** Lists are newest first: by time, then by a unique key. */
export interface Position {
  readonly at: Date;
  readonly key: readonly string[];
}

export interface Page<Item> {
  readonly items: Item[];
  readonly next_cursor: string | null;
}

/**
 * @param rows up to one more than `limit`, in order: the additional row means that there is a next page
 */
export function toPage<Row, Item>(
  rows: readonly Row[],
  limit: number,
  toItem: (row: Row) => Item,
  positionOf: (row: Row) => Position,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit && last !== undefined;
  return { items: shown.map(toItem), next_cursor: hasMore ? encodeCursor(positionOf(last)) : null };
}

export function encodeCursor({ at, key }: Position): string {
  return Buffer.from(JSON.stringify([at.getTime(), ...key])).toString('base64url');
}

/** A cursor is outside input: its parts must be storable. */
const cursorSchema = z.tuple([z.number().int().min(0).max(MAX_TIME_MS)], z.string().max(512).refine(isStorableText));

/** @throws ProblemError BODY_INVALID when the text is no cursor of a list with this number of keys */
export function decodeCursor(text: string | undefined, keys: number): Position | undefined {
  if (text === undefined) return undefined;
  const parsed = cursorSchema.safeParse(parseJson(Buffer.from(text, 'base64url').toString()));
  const [at, ...key] = parsed.data ?? [];
  if (at === undefined || key.length !== keys) {
    const errors = [{ field: 'cursor', message: 'is not a next_cursor of this list' }];
    throw new ProblemError('BODY_INVALID', 'not valid: cursor', { errors });
  }
  return { at: new Date(at), key };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
