import { TIERS } from '#common/domain/tier.js';
import { ATTEMPTS_TOPIC, DELIVERIES_TOPIC, DLQ_TOPIC } from '#common/records/topics.js';
import type { World } from './world.js';

const GROUPS: readonly { readonly groupId: string; readonly topics: readonly string[] }[] = [
  { groupId: 'dispatcher', topics: [DELIVERIES_TOPIC] },
  { groupId: 'retry-scheduler', topics: TIERS.map(({ topic }) => topic) },
  { groupId: 'control', topics: [ATTEMPTS_TOPIC, DLQ_TOPIC] },
];

/** @returns reasons why a world is not at rest, causes first; empty at rest */
export function unrest(world: World): string[] {
  const open = [...openDeliveries(world), ...openReplays(world)];
  // The further checks cost more, and cannot hold while a reason above exists.
  if (open.length > 0) return open;
  return [...waitingLanes(world), ...unprojected(world), ...heldEndpoints(world), ...uncommitted(world)];
}

function openDeliveries({ duties, referee }: World): string[] {
  return duties.filter(({ id }) => !referee.lives.isOver(id)).map(({ id }) => `${id} is neither delivered nor dead`);
}

function openReplays({ referee: { lives } }: World): string[] {
  return [...lives.replays].flatMap((key) => {
    const [id = '', replay] = key.split('/');
    return lives.isLifeOver(id, Number(replay)) ? [] : [`the replay ${key} is neither delivered nor dead`];
  });
}

function waitingLanes({ lanes }: World): string[] {
  return [...lanes.logs].flatMap(([log, tables]) => [
    ...tables.lanesWithParked().map((lane) => `lane ${lane} of ${log} has parked rows`),
    ...[...tables.rows].flatMap(([lane, row]) => (row.attempt === undefined ? [] : [`lane ${lane} has a head`])),
  ]);
}

function unprojected({ duties, projection }: World): string[] {
  return duties.flatMap(({ id }) => {
    const status = projection.deliveries.get(id)?.status;
    return status === 'delivered' || status === 'dead' ? [] : [`${id} is ${status ?? 'unknown'} to those who ask`];
  });
}

/** An endpoint that is gone may keep its hold: no attempt follows. */
function heldEndpoints({ endpoints, behaviours }: World): string[] {
  return [...endpoints.health].flatMap(([id, { breaker }]) =>
    breaker.state === 'closed' || behaviours.get(id)?.kind === 'gone'
      ? []
      : [`the breaker of ${id} is ${breaker.state}`],
  );
}

function uncommitted({ broker }: World): string[] {
  return GROUPS.flatMap(({ groupId, topics }) =>
    broker.ends(topics).flatMap(([log, end]) => {
      const offset = broker.furthestOf(groupId, log);
      return offset === end ? [] : [`${groupId} stands at ${offset} of ${end} in ${log}`];
    }),
  );
}
