import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SEQUENCE_MARKER } from '#common/records/marker.js';
import { ENDPOINTS_TOPIC } from '#common/records/topics.js';
import { ControlApp } from '../support/control-app.js';
import '../support/quiet.js';
import { recreateTopics } from '../support/recreate-topics.js';
import { until } from '../support/until.js';

const ENDPOINTS = 3;
const ROUNDS = 3;

let control: ControlApp;
const ids: string[] = [];

beforeAll(async () => {
  control = await ControlApp.start();
  for (let left = ENDPOINTS; left > 0; left--) {
    const created = await control.post('/v1/endpoints', { url: 'http://127.0.0.1:9/', event_types: ['*'] });
    ids.push(created.body.id);
  }
});
afterAll(() => control.stop());

/** @returns keys of the topic's records, in the order of the log */
async function keysOf(): Promise<string[]> {
  const log = await control.follow(ENDPOINTS_TOPIC);
  await until('all endpoints are written', () => ids.every((id) => log.records.some(({ key }) => String(key) === id)));
  await until('the marker is written', () => log.records.some(({ key }) => String(key) === SEQUENCE_MARKER));
  const keys = log.records.map(({ key }) => String(key));
  await log.stop();
  return keys;
}

describe('endpoints made again', () => {
  it('given a change just afterwards, then control writes every endpoint before the first marker', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await recreateTopics(control.settings, [ENDPOINTS_TOPIC]);
      const changed = await control.patch(`/v1/endpoints/${ids[0]}`, { description: `round ${round}` });
      expect(changed.status).toBe(200);
      const keys = await keysOf();
      const before = keys.slice(0, keys.indexOf(SEQUENCE_MARKER));
      expect({ round, missing: ids.filter((id) => !before.includes(id)) }).toEqual({ round, missing: [] });
    }
  }, 120_000);
});
