/** Waits until the browser is about to paint, so that what was drawn shows. A hidden page does not paint: it waits a moment. */
export const nextFrame = (): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, 100);
    requestAnimationFrame(() => {
      clearTimeout(timer);
      resolve();
    });
  });

/**
 * Returns a function that runs `task` for its newest input. An input that arrives while the task runs waits for its end, and replaces an
 * input that waits already: a slider that moves faster than the task skips positions, and the last position is never lost.
 *
 * @param pause awaited before each run
 * @param onError gets what the task throws
 */
export function latest<T>(
  task: (input: T) => Promise<void>,
  onError: (error: unknown) => void,
  pause: () => Promise<void> = nextFrame,
): (input: T) => void {
  let waiting: { readonly input: T } | undefined;
  let running = false;
  const run = async () => {
    running = true;
    while (waiting !== undefined) {
      await pause();
      const { input } = waiting;
      waiting = undefined;
      await task(input).catch(onError);
    }
    running = false;
  };
  return (input) => {
    waiting = { input };
    if (!running) void run();
  };
}
