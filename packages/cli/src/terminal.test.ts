/** What a person sees of the commands: run as typed, in a pseudo-terminal and in a pipe. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TINY } from '../test/cert.js';
import { hasPty, inTerminal, type Seen } from '../test/pty.js';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

const ESCAPE = '\u001b';

/** What was written, with the escape character as text. */
const visible = ({ raw }: Seen) => raw.replaceAll(ESCAPE, '<esc>');

const train = (folder: string, ...args: string[]) => ['train', '--out', join(place, folder), ...TINY, ...args];

describe.skipIf(!hasPty)('in a terminal (skipped without the command script of util-linux)', () => {
  it.each([60, 80, 120])('training fits %i columns and leaves a line for each epoch', async (columns) => {
    const { status, lines, live, wrapped } = await inTerminal(columns, train(`run${columns}`));
    expect([status, wrapped]).toEqual([0, false]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(lines[0]).toMatch(/^digits\/quick \(fast\), seed 0: small-conv/);
    const epochs = lines.filter((line) => /^epoch \d/.test(line));
    expect(epochs.map((line) => line.replaceAll(/\d+/g, '#'))).toEqual(
      Array(2).fill(expect.stringMatching(/verified error #\.# %/)),
    );
    // Nothing of the lines that change is left.
    expect(lines.filter((line) => /[\u2588\u2591]|compiling/.test(line))).toEqual([]);
    expect(live).toContainEqual(expect.stringMatching(/^epoch 1\/2 {2}compiling \.\.\. 0:00:\d\d$/));
    expect(live).toContainEqual(
      expect.stringMatching(/^evaluation \|[\u2588\u2591]+\| \d+\/20( images)? {2}0:00:\d\d/),
    );
  });

  it('tables fit 80 columns', async () => {
    const run = join(place, 'run80');
    const shown = [
      await inTerminal(80, ['eval', run, '--methods', 'ibp,crown-ibp,crown,alpha-crown,bab', '--limit', '4']),
      await inTerminal(80, ['doctor']),
      await inTerminal(80, ['diagnose', 'relu', run]),
      await inTerminal(80, [
        'diagnose',
        'init',
        ...['--width', '2', '--dense', '4', '--images', '2', '--device', 'tfjs'],
        '--out',
        join(place, 'init'),
        '--inits',
        'xavier,kaiming,orthogonal,ibp',
      ]),
    ];
    for (const { status, lines, raw } of shown) {
      const own = lines.filter((line) => !/vulkan|BackendVk/i.test(line) && !line.includes(place));
      expect([status, own.filter((line) => line.length > 80)]).toEqual([0, []]);
      expect(raw).toContain(ESCAPE);
    }
    const [evaluation, doctor] = shown.map(({ lines }) => lines.join('\n'));
    expect(evaluation).toMatch(/^verified error \(IBP, CROWN-IBP, .*\n {2}.*BAB\)$/m);
    expect(doctor).toMatch(/^device cpu +available +ONNX Runtime/m);
    expect(doctor).toMatch(/^device cuda +missing +The device/m);
  });

  it('errors and sentences fit 80 columns, broken between words', async () => {
    const error = await inTerminal(80, ['train', '--preset', 'digits/quik']);
    const verify = ['verify', join(place, 'run80'), '--index', '0', '--epsilon', '0', '--timeout', '5'];
    const shown = [error, await inTerminal(80, verify)];
    for (const { lines, wrapped } of shown) {
      expect([wrapped, lines.filter((line) => line.length > 80)]).toEqual([false, []]);
    }
    expect(error.lines.join(' ')).toContain('/ cnn7 / fast sabr taps staps mtl-ibp.');
  });

  it('colours headings and verdicts, unless NO_COLOR is set', async () => {
    const verify = ['verify', join(place, 'run80'), '--index', '0', '--epsilon', '0', '--timeout', '5'];
    const coloured = await inTerminal(80, verify);
    expect(visible(coloured)).toMatch(/<esc>\[3[123]m(The property (holds|is violated)|Undecided)<esc>\[39m/);
    expect(visible(await inTerminal(80, verify, { NO_COLOR: '1' }))).not.toMatch(/<esc>\[\d+m/);
    expect(visible(await inTerminal(80, ['train', '--epochs', 'x']))).toMatch(/<esc>\[31merror:<esc>\[39m/);
  });
});

it('has no escape codes in a pipe', async () => {
  const child = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      '--conditions=@cert/source',
      fileURLToPath(new URL('./cli.ts', import.meta.url)),
      ...train('piped'),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, FORCE_COLOR: '1' } },
  );
  let out = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) out += chunk;
  expect(out).not.toContain(ESCAPE);
  expect(out).not.toContain('\r');
  expect(out.split('\n').filter((line) => /^epoch \d/.test(line))).toHaveLength(2);
});
