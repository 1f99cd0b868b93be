import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import xterm from '@xterm/headless';

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));

/** Whether commands can be run in a pseudo-terminal: by the `script` of util-linux. */
export const hasPty = spawnSync('script', ['--version']).status === 0;

/** What a person sees. */
export interface Seen {
  readonly status: number | null;
  /** The lines that are left when the command has ended, without spaces at their ends. */
  readonly lines: readonly string[];
  /** Every line that stood where the cursor was, whenever something was written; each once. */
  readonly live: readonly string[];
  /** Whether a line of the output was longer than the screen. */
  readonly wrapped: boolean;
  /** What was written, escape codes included. */
  readonly raw: string;
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** Runs the real command in a terminal with the given number of columns, and looks at it as a person does. */
export async function inTerminal(columns: number, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Seen> {
  const command = [process.execPath, '--import', 'tsx', '--conditions=@cert/source', cli, ...args]
    .map(quoted)
    .join(' ');
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...inherited } = process.env;
  const child = spawn('script', ['-qec', `stty cols ${columns} rows 24; exec ${command}`, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...inherited, TERM: 'xterm-256color', ...env },
  });
  const screen = new xterm.Terminal({ cols: columns, rows: 24, scrollback: 5000, allowProposedApi: true });
  const live: string[] = [];
  let [raw, wrapped] = ['', false];
  const buffer = screen.buffer.active;
  const lineAt = (y: number) => buffer.getLine(y)?.translateToString(true) ?? '';
  const look = () => {
    const y = buffer.baseY + buffer.cursorY;
    wrapped ||= buffer.getLine(y)?.isWrapped === true;
    const line = lineAt(y);
    if (line !== '' && line !== live.at(-1)) live.push(line);
  };
  const write = (text: string) => new Promise<void>((done) => screen.write(text, done));
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    const text = String(chunk);
    raw += text;
    // Each time the cursor goes back, what was drawn is whole.
    for (const part of text.split(/(?<=\r)/)) {
      await write(part);
      look();
    }
  }
  const status = await new Promise<number | null>((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode);
    else child.on('close', resolve);
  });
  const lines = Array.from({ length: buffer.length }, (_, y) => lineAt(y));
  wrapped ||= Array.from({ length: buffer.length }, (_, y) => buffer.getLine(y)?.isWrapped === true).includes(true);
  while (lines.at(-1) === '') lines.pop();
  screen.dispose();
  return { status, lines, live, wrapped, raw };
}
