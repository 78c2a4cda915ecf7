interface Shared<Value> {
  readonly text: string;
  readonly value: Value;
  uses: number;
}

/** JSON values that many owners have in common: each distinct one is kept once, under a number, while it has an owner. */
export class SharedValues<Value> {
  private readonly numbers = new Map<string, number>();
  private readonly shared: (Shared<Value> | undefined)[] = [];
  private readonly free: number[] = [];

  /** How many distinct values are here. */
  get size(): number {
    return this.numbers.size;
  }

  /**
   * Notes one more owner of the value.
   *
   * @param value must not change afterwards
   * @returns the number of its equals: those with the same JSON text
   */
  take(value: Value): number {
    const text = JSON.stringify(value);
    const number = this.numbers.get(text) ?? this.free.pop() ?? this.shared.length;
    const known = this.shared[number];
    if (known === undefined) {
      this.shared[number] = { text, value, uses: 1 };
      this.numbers.set(text, number);
    } else known.uses++;
    return number;
  }

  /** @throws RangeError when no value has this number */
  get(number: number): Value {
    return this.at(number).value;
  }

  /** An owner does not need the value any more. @throws RangeError when no value has this number */
  release(number: number): void {
    const known = this.at(number);
    known.uses--;
    if (known.uses > 0) return;
    this.numbers.delete(known.text);
    this.shared[number] = undefined;
    this.free.push(number);
  }

  private at(number: number): Shared<Value> {
    const known = this.shared[number];
    if (known === undefined) throw new RangeError(`no value has the number ${number}`);
    return known;
  }
}
