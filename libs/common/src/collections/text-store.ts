/** Texts lie one after the other in buffers of this size; a longer one has a buffer of its own. */
const SLAB_BYTES = 262_144;
const LENGTH_BYTES = 4;
/** Share of the bytes that replaced and deleted texts may take, and bytes that they may take in any case. */
const MAX_DEAD_SHARE = 0.25;

/**
 * Texts by key, outside V8's heap. A heap grows by half before it is collected, so a text within it takes half as much again.
 * Replaced and deleted texts stay until they take a quarter of all bytes; then the others are copied to new buffers.
 */
export class TextStore {
  /** Position of each text: index of its slab × {@link SLAB_BYTES} + offset. */
  private readonly places = new Map<string, number>();
  private slabs: Buffer[] = [];
  /** Bytes in use of the last slab. */
  private lastUsed = SLAB_BYTES;
  private liveBytes = 0;
  private deadBytes = 0;

  get size(): number {
    return this.places.size;
  }

  /** Bytes of all buffers. */
  get bytes(): number {
    return this.slabs.reduce((sum, { length }) => sum + length, 0);
  }

  get(key: string): string | undefined {
    const place = this.places.get(key);
    if (place === undefined) return undefined;
    const { slab, from, to } = this.at(place);
    return slab.toString('utf8', from + LENGTH_BYTES, to);
  }

  set(key: string, text: string): void {
    this.bury(key);
    const bytes = LENGTH_BYTES + Buffer.byteLength(text);
    const { slab, from, place } = this.allocate(bytes);
    slab.writeUInt32LE(bytes, from);
    slab.write(text, from + LENGTH_BYTES);
    this.places.set(key, place);
    this.compactIfNeeded();
  }

  delete(key: string): void {
    this.bury(key);
    this.places.delete(key);
    this.compactIfNeeded();
  }

  private bury(key: string): void {
    const place = this.places.get(key);
    if (place === undefined) return;
    const { from, to } = this.at(place);
    this.liveBytes -= to - from;
    this.deadBytes += to - from;
  }

  private at(place: number): { slab: Buffer; from: number; to: number } {
    const slab = this.slabs[Math.floor(place / SLAB_BYTES)];
    if (slab === undefined) throw new RangeError(`no text lies at ${place}`);
    const from = place % SLAB_BYTES;
    return { slab, from, to: from + slab.readUInt32LE(from) };
  }

  private allocate(bytes: number): { slab: Buffer; from: number; place: number } {
    let slab = this.slabs.at(-1);
    if (slab === undefined || this.lastUsed + bytes > slab.length) {
      slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes));
      this.slabs.push(slab);
      this.lastUsed = 0;
    }
    const from = this.lastUsed;
    this.lastUsed += bytes;
    this.liveBytes += bytes;
    return { slab, from, place: (this.slabs.length - 1) * SLAB_BYTES + from };
  }

  private compactIfNeeded(): void {
    if (this.deadBytes <= Math.max(SLAB_BYTES, (this.liveBytes + this.deadBytes) * MAX_DEAD_SHARE)) return;
    const former = this.slabs;
    const read = (place: number) => this.at(place);
    const texts = [...this.places].map(([key, place]) => ({ key, ...read(place) }));
    this.slabs = [];
    this.lastUsed = SLAB_BYTES;
    this.liveBytes = 0;
    this.deadBytes = 0;
    for (const { key, slab, from, to } of texts) {
      const target = this.allocate(to - from);
      slab.copy(target.slab, target.from, from, to);
      this.places.set(key, target.place);
    }
    former.length = 0;
  }
}
