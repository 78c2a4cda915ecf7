import { Counter } from 'prom-client';

export const rowsSetAside = new Counter({
  name: 'posthorn_rows_set_aside_total',
  help: 'Rows PostgreSQL does not store, by statement and by why: row, the values are at fault; unknown, other rows succeeded while this one failed again and again, which someone must look at',
  labelNames: ['statement', 'why'],
});
