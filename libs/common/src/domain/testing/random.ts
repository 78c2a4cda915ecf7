// A test runs in a context of its own, where a global costs much more than a constant.
const { floor, imul } = Math;

/** Seeded pseudo-random choices (mulberry32): a seed repeats its history step by step. */
export class Random {
  private state: number;

  /** @param seed any integer; its lower 32 bits count */
  constructor(seed: number) {
    this.state = imul(seed, 0x9e3779b1) | 0;
  }

  /** @returns an integer from 0 to `count` - 1; 0 when `count` is 0 */
  pick(count: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * count);
  }

  /** @param permille probability in thousandths */
  chance(permille: number): boolean {
    return permille > 0 && this.pick(1_000) < permille;
  }

  /** @throws RangeError when `choices` is empty */
  among<Choice>(choices: readonly Choice[]): Choice {
    const choice = choices[this.pick(choices.length)];
    if (choice === undefined) throw new RangeError('nothing to choose from');
    return choice;
  }
}
