import { z } from 'zod';

const MAX_LIST = 1_000;

/** A list within a record. Looks at the length first: to check an item costs more than to have read it. */
export const shortList = <Item extends z.ZodType>(item: Item) =>
  z
    .custom<unknown[]>((list) => Array.isArray(list) && list.length <= MAX_LIST, 'must be a short list')
    .pipe(z.array(item));
