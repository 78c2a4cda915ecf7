interface Lane<Work> {
  readonly waiting: Work[];
  isBusy: boolean;
}

/**
 * Work of one endpoint, lane by lane: within a lane one piece after the other, in the order it came; across lanes in the
 * order they became ready, so that none starves.
 */
export class LaneQueue<Work> {
  private readonly lanes = new Map<string, Lane<Work>>();
  /** Lanes that are not busy and have work, longest ready first. */
  private readonly ready: string[] = [];
  private count = 0;

  /** Pieces waiting; those taken and not yet done are not among them. */
  get size(): number {
    return this.count;
  }

  /** True when nothing waits and no lane is busy. */
  get isIdle(): boolean {
    return this.lanes.size === 0;
  }

  add(lane: string, work: Work): void {
    this.count++;
    const existing = this.lanes.get(lane);
    if (existing === undefined) {
      this.lanes.set(lane, { waiting: [work], isBusy: false });
      this.ready.push(lane);
      return;
    }
    existing.waiting.push(work);
    if (!existing.isBusy && existing.waiting.length === 1) this.ready.push(lane);
  }

  /** The next piece, whose lane is then busy until {@link done}; undefined when no lane is ready. */
  take(): { readonly lane: string; readonly work: Work } | undefined {
    for (;;) {
      const lane = this.ready.shift();
      if (lane === undefined) return undefined;
      const state = this.lanes.get(lane);
      const work = state?.waiting.shift();
      if (state === undefined || work === undefined) continue;
      state.isBusy = true;
      this.count--;
      return { lane, work };
    }
  }

  /** The piece last taken from this lane is over: the lane's next one may be taken. */
  done(lane: string): void {
    const state = this.lanes.get(lane);
    if (state === undefined) return;
    state.isBusy = false;
    if (state.waiting.length > 0) this.ready.push(lane);
    else this.lanes.delete(lane);
  }

  /**
   * Forgets the waiting pieces that match. Lanes that are busy stay so.
   *
   * @returns what was forgotten
   */
  drop(matches: (work: Work) => boolean): Work[] {
    const dropped: Work[] = [];
    for (const [name, lane] of this.lanes) {
      const kept: Work[] = [];
      for (const work of lane.waiting) (matches(work) ? dropped : kept).push(work);
      if (kept.length === lane.waiting.length) continue;
      lane.waiting.splice(0, lane.waiting.length, ...kept);
      if (kept.length > 0 || lane.isBusy) continue;
      this.lanes.delete(name);
      this.ready.splice(this.ready.indexOf(name), 1);
    }
    this.count -= dropped.length;
    return dropped;
  }
}
