import { Logger } from '@nestjs/common';
import type { KnownLane, LaneStore, LaneWrite, LogEpoch, ParkedRecord } from '#common/postgres/lane-store.js';
import { SetAside } from '#common/postgres/persist-batch.js';
import { RepeatingBatch, type RepeatingBatchOptions } from './repeating-batch.js';

const MAX_WRITES = 200;
/** A statement takes several times as much in memory, here and in PostgreSQL. */
const MAX_WRITE_BYTES = 2 * 1_048_576;
const MAX_LOADS = 500;
const MAX_PAGES = 16;
/** The first row of a page may be larger: as large as an event may be. */
const PAGE = { rows: 8, bodyBytes: 64 * 1_024 };

/** The parts of a lane's write that PostgreSQL rejects. */
export interface RefusedParts {
  readonly isRowRefused: boolean;
  readonly park: ReadonlySet<ParkedRecord>;
}

/** The lanes of one owned log in the database, several lanes to a statement. Nothing resolves after the log is lost. */
export class LaneJournal {
  private readonly logger = new Logger(LaneJournal.name);
  private readonly writes: RepeatingBatch<LaneWrite, undefined>;
  private readonly loads: RepeatingBatch<string, KnownLane>;
  private readonly pages: RepeatingBatch<string, readonly ParkedRecord[]>;
  /** Parts of writes, to find out which of them are at fault. */
  private readonly parts: RepeatingBatch<LaneWrite, undefined>;

  /** @param onFenced called when another owner has the log */
  constructor(store: LaneStore, epoch: LogEpoch, ended: AbortSignal, onFenced: () => void) {
    const common = { ended, onFenced };
    const ofWrites = { ...common, maxItems: MAX_WRITES, sample: SAMPLE_WRITE, laneOf: ({ lane }: LaneWrite) => lane };
    const bytes = {
      most: MAX_WRITE_BYTES,
      of: ({ park = [] }: LaneWrite) => park.reduce((sum, { body }) => sum + body.length, 0),
    };
    const rehearse = (write: LaneWrite) => store.rehearse(epoch, [write]);
    const run = (work: (writes: readonly LaneWrite[]) => Promise<void>) => async (writes: readonly LaneWrite[]) => {
      await work(writes);
      return writes.map(() => undefined);
    };
    this.writes = new RepeatingBatch<LaneWrite, undefined>({
      ...{ ...ofWrites, name: 'write', bytes, rehearse },
      run: run((writes) => store.write(epoch, writes)),
    });
    this.parts = new RepeatingBatch<LaneWrite, undefined>({
      ...{ ...ofWrites, name: 'part', bytes, rehearse },
      run: run((writes) => store.rehearse(epoch, writes)),
    });
    this.loads = loadsOf(store, epoch, common);
    this.pages = pagesOf(store, epoch, common);
  }

  /** @returns `SetAside` when PostgreSQL does not store it; see `refusedParts` */
  write(write: LaneWrite): Promise<undefined | SetAside> {
    return this.writes.add(write);
  }

  /** Finds the parts that PostgreSQL rejects in a write that was set aside. */
  async refusedParts(write: LaneWrite): Promise<RefusedParts> {
    const { lane, endpointId, row, park = [] } = write;
    const [ofRow, ...ofPark] = await Promise.all([
      row ? this.parts.add({ lane, endpointId, row }) : undefined,
      ...park.map((record) => this.parts.add({ lane, endpointId, park: [record] })),
    ]);
    const isRefused = (_: ParkedRecord, index: number) => ofPark[index] instanceof SetAside;
    return { isRowRefused: ofRow instanceof SetAside, park: new Set(park.filter(isRefused)) };
  }

  async load(lane: string): Promise<KnownLane> {
    const loaded = await this.loads.add(lane);
    return loaded instanceof SetAside ? this.nothingOf(lane, loaded, unknownLane(lane)) : loaded;
  }

  /** The lane's lowest parked rows, ascending; none when it has none. */
  async readPage(lane: string): Promise<readonly ParkedRecord[]> {
    const page = await this.pages.add(lane);
    return page instanceof SetAside ? this.nothingOf(lane, page, []) : page;
  }

  /**
   * A lane whose name PostgreSQL cannot store has no rows. If its rows cannot be read for another reason, nothing of the lane
   * may be sent: it waits until the log has another owner.
   */
  private nothingOf<Answer>(lane: string, { why, error }: SetAside, answer: Answer): Promise<Answer> {
    if (why === 'row') return Promise.resolve(answer);
    this.logger.error({ err: error, lane }, 'lanes.lane_unreadable');
    return new Promise(() => undefined);
  }
}

/** No lane has this name: a lane's name begins with the id of an endpoint. */
const SAMPLE_LANE = 'posthorn:sample';
const SAMPLE_WRITE: LaneWrite = {
  lane: SAMPLE_LANE,
  endpointId: '',
  row: { place: 0, attempt: undefined, deliveryId: '', dueAt: undefined },
  park: [
    {
      ...{ lane: SAMPLE_LANE, place: 1, endpointId: '', deliveryId: '', attempt: 0, header: '', extraHeaders: null },
      ...{ body: Buffer.alloc(0), reason: 'sample', parkedAt: 0 },
    },
  ],
};
const OF_NAMES = { sample: SAMPLE_LANE, laneOf: (lane: string) => lane };

type Common = Pick<RepeatingBatchOptions<string, unknown>, 'ended' | 'onFenced'>;

function loadsOf(store: LaneStore, epoch: LogEpoch, common: Common): RepeatingBatch<string, KnownLane> {
  const run = async (lanes: readonly string[]) => {
    const byLane = new Map((await store.load(epoch, lanes)).map((known) => [known.lane, known]));
    return lanes.map((lane) => byLane.get(lane) ?? unknownLane(lane));
  };
  const rehearse = (lane: string) => run([lane]);
  return new RepeatingBatch({ ...common, name: 'load', maxItems: MAX_LOADS, run, rehearse, ...OF_NAMES });
}

function pagesOf(store: LaneStore, epoch: LogEpoch, common: Common): RepeatingBatch<string, readonly ParkedRecord[]> {
  const run = async (lanes: readonly string[]): Promise<(readonly ParkedRecord[])[]> => {
    const pages = await store.readPages(epoch, lanes, PAGE);
    return lanes.map((lane) => pages.get(lane) ?? []);
  };
  const rehearse = (lane: string) => run([lane]);
  return new RepeatingBatch({ ...common, name: 'pages', maxItems: MAX_PAGES, run, rehearse, ...OF_NAMES });
}

function unknownLane(lane: string): KnownLane {
  return { lane, row: undefined, dueAt: undefined, lowestParked: undefined };
}
