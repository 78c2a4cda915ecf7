const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
const PARENT_CHECK_MS = 1_000;
/** One press of Ctrl-C comes twice: from the terminal, and from npm, which passes on what the terminal has sent to all. */
const SAME_PRESS_MS = 1_000;

/**
 * Listens for the wish to stop. npm does not pass on every signal, and cannot pass on its own kill: when it is gone, that
 * counts as a hang-up.
 */
export function stopSignal() {
  const controller = new AbortController();
  /** @type {() => void} */
  let second = () => undefined;
  let firstAt = 0;
  const request = () => {
    if (!controller.signal.aborted) {
      firstAt = performance.now();
      controller.abort(new Error('stopped'));
    } else if (performance.now() - firstAt > SAME_PRESS_MS) second();
  };
  for (const name of SIGNALS) process.on(name, request);
  // A terminal that has gone away must not end the stop half-way.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  if (process.env.npm_lifecycle_event) watchParent(() => controller.abort(new Error('npm has ended')));
  return {
    signal: controller.signal,
    /** Resolves when the first signal arrives. */
    requested: new Promise((resolve) => controller.signal.addEventListener('abort', resolve)),
    /** @param {() => void} action for whoever is not willing to wait */
    onSecond: (action) => {
      second = action;
    },
  };
}

/** @param {() => void} onGone */
function watchParent(onGone) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onGone();
  }, PARENT_CHECK_MS);
  timer.unref();
}
