import { main } from '../src/main.js';

/** What a command printed, and its exit status. */
export interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command in this process. */
export async function cert(...args: string[]): Promise<Outcome> {
  const lines = { out: [] as string[], err: [] as string[] };
  const terminal = {
    out: (line: string) => void lines.out.push(line),
    err: (line: string) => void lines.err.push(line),
    screen: null,
  };
  const status = await main(args, terminal, new AbortController().signal);
  return { status, out: lines.out.join('\n'), err: lines.err.join('\n') };
}

/** Options of a short run. */
const SHORT = [
  ...['--device', 'tfjs', '--limit', '20', '--batch-size', '8', '--epochs', '2'],
  ...['--attack-restarts', '1', '--attack-steps', '2'],
];

/** Options of a run of a built-in model that takes a second. */
export const TINY = [...SHORT, '--width', '2', '--dense', '4'];

/** Trains such a run in a folder. */
export const train = (folder: string, ...args: string[]) => cert('train', '--out', folder, ...TINY, ...args);

/** The same with a model that has no size. */
export const trainOwn = (folder: string, ...args: string[]) => cert('train', '--out', folder, ...SHORT, ...args);

/** Options of a run of seconds that learns something: the network is right often, and some images are verified. */
export const SMALL = [
  ...['--device', 'cpu', '--limit', '200', '--epochs', '12', '--epsilon', '0.05', '--learning-rate', '0.005'],
  ...['--batch-size', '20', '--width', '4', '--dense', '32', '--seed', '1'],
  ...['--attack-restarts', '1', '--attack-steps', '5'],
];
