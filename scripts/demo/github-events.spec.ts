import { encodeEvent, parseEvent } from '#common/records/event.js';
import { githubEvents, PAYLOADS } from './github-events.ts';

describe('githubEvents', () => {
  it('given every payload, then each makes a valid event', () => {
    const events = githubEvents(PAYLOADS.length, 'run');
    const refused = events.filter(({ id, type, resourceId, data }) => {
      const rawData = JSON.stringify(data);
      const event = { id, type, resourceId, tenant: 'demo', occurredAt: undefined, rawData };
      return !parseEvent(Buffer.from(encodeEvent(event))).ok;
    });
    expect(refused).toEqual([]);
    expect(new Set(events.map(({ id }) => id)).size).toBe(PAYLOADS.length);
  });

  it.each([10, 100, 1_000])('given %d events, then they are spread over the payloads', (count) => {
    const events = githubEvents(count, 'run');
    expect(events).toHaveLength(count);
    expect(new Set(events.map(({ data }) => data)).size).toBe(Math.min(count, PAYLOADS.length));
  });

  it('given a payload of a repository, then its resource names the repository and the subject', () => {
    const opened = githubEvents(PAYLOADS.length, 'run').find(({ type }) => type === 'github.pull_request.opened');
    expect(opened?.resourceId).toBe('Codertocat/Hello-World/pull_request');
  });
});
