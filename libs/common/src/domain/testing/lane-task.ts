/** What a task yields: undefined, or the condition on which it goes on. */
export type Steps = Generator<(() => boolean) | undefined, void, void>;

/** Never fulfilled: the task hangs until its process ends. */
export const NEVER = () => false;

/** One thing under way in a simulated process. Between any two of its steps the process may die. */
export class Task {
  /** Asked for and not yet done: may be done even though the process dies. */
  inAir: (() => void) | undefined;
  isDone = false;
  private condition: (() => boolean) | undefined;
  private readonly steps: Steps;

  constructor(begin: (task: Task) => Steps) {
    this.steps = begin(this);
  }

  get isReady(): boolean {
    return !this.isDone && (this.condition === undefined || this.condition());
  }

  step(): void {
    const { done, value } = this.steps.next();
    this.isDone = done === true;
    this.condition = value ?? undefined;
  }
}
