import { z } from 'zod';
import type { EventToArchive } from './archived-event.js';
import {
  archivedColumns,
  EVENT_COLUMN_LIST,
  EVENT_INPUT,
  eventColumns,
  eventParams,
  showEventColumns,
  shownEventShape,
} from './event-columns.js';

const archived: EventToArchive = {
  event: {
    id: 'e',
    tenant: 'acme',
    type: 'a.b',
    resourceId: undefined,
    occurredAt: '2026-01-01T00:00:00Z',
    rawData: '{"a": 1}',
    acceptedAt: 5,
    partition: 2,
    position: 7,
  },
  occurredAtMs: 4,
  endpointIds: ['ep_1', 'ep_2'],
};
const names = EVENT_COLUMN_LIST.split(', ');

describe('the columns of events', () => {
  it('given events, then each column is one parameter, at the place where the statement reads it', () => {
    const columns = Object.fromEntries(eventParams([archived, archived]).map((text, index) => [names[index], text]));
    expect(columns).toEqual({
      id: 'e\x1ee',
      tenant: 'acme\x1eacme',
      type: 'a.b\x1ea.b',
      resource_id: '\x1e',
      occurred_at: '4\x1e4',
      accepted_at: '5\x1e5',
      endpoint_ids: 'ep_1,ep_2\x1eep_1,ep_2',
      source_partition: '2\x1e2',
      source_offset: '7\x1e7',
      data: '{"a": 1}\x1e{"a": 1}',
    });
    expect(EVENT_INPUT.match(/\$\d+/g)).toHaveLength(names.length);
    expect(EVENT_INPUT).toContain(`columns(${EVENT_COLUMN_LIST}, ordinality)`);
  });

  it('given empty text, then the statement reads NULL', () => {
    const columns = [...EVENT_INPUT.matchAll(/string_to_array\(\$(\d+), E'\\x1e', ''\)/g)].map(([, place]) =>
      Number(place),
    );
    expect(columns).toEqual(names.map((_, index) => index + 1));
  });

  it('given lists of columns, then an archived event has no place in the log, and endpoint ids may come from elsewhere', () => {
    expect(archivedColumns('e').split(', ')).toEqual(
      names.filter((name) => !['source_partition', 'endpoint_ids'].includes(name)).map((name) => `e.${name}`),
    );
    expect(eventColumns('i', '(x)')).toContain('i.accepted_at, (x) AS endpoint_ids, i.source_partition');
  });

  it('given a row, then it is shown as the schema says, with times as text', () => {
    const row = {
      id: 'e',
      tenant: 'acme',
      type: 'a.b',
      resource_id: null,
      occurred_at: new Date(0),
      accepted_at: new Date(1),
      endpoint_ids: ['ep_1'],
    };
    const shown = showEventColumns(row);
    expect(shown).toMatchObject({ occurred_at: '1970-01-01T00:00:00.000Z', resource_id: null });
    expect(z.strictObject(shownEventShape()).parse(shown)).toEqual(shown);
  });
});
