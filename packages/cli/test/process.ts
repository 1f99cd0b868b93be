import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));

/** What runs the real command from source. */
export const CERT: readonly string[] = [process.execPath, '--import', 'tsx', '--conditions=@cert/source', cli];

/** How a process ended, and what it printed. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the real command as a process. `onLine` gets the lines of its output as they come, and may send it signals. */
export function certProcess(
  args: readonly string[],
  onLine: (line: string, process: ChildProcess) => void = () => {},
): Promise<Ended> {
  const [node, ...options] = CERT;
  const child = spawn(node!, [...options, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    for (const line of text.split('\n')) if (line !== '') onLine(line, child);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  return new Promise((resolve) => {
    child.on('close', (status, signal) => resolve({ status, signal, out, err }));
  });
}
