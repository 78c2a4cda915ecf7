const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
const PARENT_CHECK_MS = 1_000;
/** One press of Ctrl-C arrives twice: from the terminal, and from npm, which forwards it. */
const SAME_PRESS_MS = 1_000;

/**
 * Listens for signals to stop. npm does not forward every signal, and cannot forward SIGKILL. The end of npm therefore
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
  // Writing to a closed terminal must not interrupt the stop.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  if (process.env.npm_lifecycle_event) watchParent(() => controller.abort(new Error('npm has ended')));
  return {
    signal: controller.signal,
    /** Resolves when the first signal arrives. */
    requested: new Promise((resolve) => controller.signal.addEventListener('abort', resolve)),
    /** @param {() => void} action called at the second signal */
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
