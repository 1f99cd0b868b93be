import { PassThrough } from 'node:stream';
import { describeEvent, type RunEvent, resolveConfig, type Summary } from '@cert/trainer/pipeline';
import { describe, expect, it } from 'vitest';
import { progressReporter } from './progress.js';
import { resultTable } from './table.js';

const config = resolveConfig();
const summary: Summary = {
  ...{ preset: 'digits/quick', method: 'fast', bound: 'ibp', dataset: 'digits', model: 'small-conv' },
  ...{ epochs: 12, seed: 0 },
  ...{ images: 2000, epsilon: 0.1, standardError: 0.042, pgdError: 0.07, verifiedError: 0.089 },
  ...{ attack: { steps: 40, restarts: 3 }, best: null, trainImages: 8000, parameters: 163006 },
  ...{ device: 'cpu', deviceDescription: 'ONNX Runtime', trainSeconds: 41.26, evalSeconds: 3 },
};
const numbers = {
  ...{ epoch: 2, epsilon: 0.05, learningRate: 0.002, images: 64, secondsLeft: 90 },
  metrics: { loss: 0.51234, naturalLoss: 0.2, error: 0.1, gradNorm: 3 },
};
const events: RunEvent[] = [
  {
    ...{ type: 'start', folder: 'runs/a b', config, parameters: 163006, trainImages: 8000, testImages: 2000 },
    ...{
      epochs: 12,
      stepsPerEpoch: 2,
      step: 2,
      device: { name: 'cpu', description: 'ONNX Runtime', reason: 'the fastest' },
    },
  },
  { type: 'step', step: 3, ...numbers },
  { type: 'step', step: 4, ...numbers },
  { type: 'epoch', step: 4, trainSeconds: 12.34, test: summary, ...numbers },
  { type: 'evaluating', images: 250, of: 2000 },
  { type: 'finished', folder: 'runs/a b', summary },
];

/** What a progressReporter prints for the events. */
function report(screen: NodeJS.WritableStream | null, shown = events): string[] {
  const lines: string[] = [];
  const show = progressReporter({ out: (line) => void lines.push(line), err: () => {}, screen });
  for (const event of shown) show(event);
  return lines;
}

/** A terminal, and what is drawn on it. */
function drawnOn() {
  const stream = new PassThrough();
  const drawn: string[] = [];
  stream.on('data', (chunk) => drawn.push(String(chunk)));
  // The members of a terminal that the bar uses.
  const noop = () => true;
  const screen = Object.assign(stream, {
    isTTY: true,
    columns: 200,
    rows: 40,
    cursorTo: noop,
    clearLine: noop,
    moveCursor: noop,
    clearScreenDown: noop,
  });
  return { screen, text: () => drawn.join('') };
}

it('shows a warning on a screen and in a pipe', () => {
  const warning: RunEvent = { type: 'warning', message: 'The regularizer x changes nothing.' };
  const text = ['Warning: The regularizer x changes nothing.'];
  expect([report(null, [warning]), report(new PassThrough(), [warning])]).toEqual([text, text]);
});

describe('reporter', () => {
  it('in a pipe prints one line an epoch', () => {
    expect(report(null)).toEqual([
      'digits/quick (fast), seed 0: small-conv with 163006 parameters, 8000 + 2000 images of digits, on ONNX Runtime (the fastest), going on after step 2',
      'epoch 2  epsilon 0.05  rate 0.002  loss 0.5123  test error 4.20 %  verified error 8.90 %  12.3 s',
      'standard error 4.20 %, PGD error 7.00 %, verified error 8.90 %',
    ]);
  });

  it('on a screen draws a bar an epoch with loss, radius, speed and the time left', () => {
    const { screen, text: drawn } = drawnOn();
    const lines = report(screen);
    expect(lines).toHaveLength(1);
    const text = drawn();
    expect(text).toMatch(
      /epoch 2\/12 \|.+\| 100 % {2}loss 0\.5123 {2}epsilon 0\.05 {2}\d+ images\/s {2}\d+ s left {2}test 4\.2 % \/ verified 8\.9 %/,
    );
    expect(text).toMatch(/evaluation \|.+\| 250\/2000 images/);
  });

  it('shows that images are decoded: a bar on a screen, one line in a pipe', () => {
    const events = [1, 2, 3].map((images) => ({ type: 'decoding', images, of: 3 }) as const);
    const { screen, text } = drawnOn();
    expect(report(screen, events)).toEqual([]);
    expect(text()).toMatch(/decoding \|.+\| 3\/3 images {2}0 s left/);
    expect(report(null, events)).toEqual(['Decoding 3 images. They are kept decoded for the next time.']);
  });

  it('begins the bar of an evaluation that goes on where it stands', () => {
    const { screen, text } = drawnOn();
    const state = { type: 'evaluating', of: 400, before: 300 } as const;
    report(screen, [
      { ...state, images: 301 },
      { ...state, images: 400 },
    ]);
    expect(text()).toMatch(/evaluation \|.+\| 300\/400 images.*evaluation \|.+\| 400\/400 images {2}0 s left/s);
  });
});

it('what failed is in the log, and left on the screen to whoever catches it', () => {
  const lines: string[] = [];
  progressReporter({ out: (line) => void lines.push(line), err: () => {}, screen: null })({
    type: 'failed',
    message: 'no',
  });
  expect(lines).toEqual([]);
  expect(describeEvent({ type: 'failed', message: 'no' })).toBe('Failed: no');
});

it('an epoch at the radius 8/255 has it as people write it', () => {
  const at = (epsilon: number) =>
    describeEvent({ type: 'epoch', step: 4, trainSeconds: 1, test: summary, ...numbers, epsilon });
  expect(at(8 / 255)).toContain('  epsilon 8/255  ');
  expect(at(0.0123456)).toContain('  epsilon 0.01235  ');
  expect(at(0.1)).toContain('  epsilon 0.1  ');
});

it('the line after Ctrl-C quotes the folder as a shell needs it', () => {
  const lines: string[] = [];
  const report = progressReporter({ out: (line) => void lines.push(line), err: () => {}, screen: null });
  report({ type: 'stopped', folder: "runs/it's", step: 7 });
  expect(lines).toEqual(["Stopped after step 7. Resume with: cert train --resume 'runs/it'\\''s'"]);
});

describe('resultTable', () => {
  it('has a column for each run', () => {
    const vanilla: Summary = { ...summary, method: 'vanilla', pgdError: null, verifiedError: 0.1 };
    expect(resultTable([summary, vanilla]).split('\n')).toEqual([
      '                                  digits/quick fast, seed 0  digits/quick vanilla, seed 0',
      'standard error                                       4.20 %                        4.20 %',
      'PGD error (40 steps, 3 restarts)                     7.00 %                       not run',
      'verified error (IBP)                                 8.90 %                       10.00 %',
      'epsilon                                                 0.1                           0.1',
      'test images                                            2000                          2000',
      'training seconds                                       41.3                          41.3',
      'device                                         ONNX Runtime                  ONNX Runtime',
    ]);
  });

  it('of nothing is empty', () => {
    expect(resultTable([])).toBe('');
  });
});
