/** Lets one loop sleep until a call wakes it, or until a time has passed. A call without a sleeper ends the next wait. */
export class Wake {
  private isPending = false;
  private end: () => void = () => undefined;

  call(): void {
    this.isPending = true;
    this.end();
  }

  /** @param ms longest wait; without it, only a call ends it */
  async wait(ms?: number): Promise<void> {
    if (!this.isPending) {
      await new Promise<void>((resolve) => {
        const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
        this.end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.isPending = false;
  }
}
