/** Milliseconds that a server has to take leave of a worker that ends. */
const PATIENCE = 5000;

/** What has a connection. */
interface Closable {
  close(): Promise<void>;
  disconnect(): Promise<void>;
}

/** Closes a queue; where the server does not answer, leaves it: its jobs go to other workers when their locks end. */
export async function closeOrLeave(queue: Closable): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      queue.disconnect().catch(() => {});
      resolve();
    }, PATIENCE);
  });
  await Promise.race([queue.close().catch(() => {}), late]);
  clearTimeout(timer);
}
