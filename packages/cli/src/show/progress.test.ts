import { PassThrough } from 'node:stream';
import { describeEvent, type RunEvent, resolveConfig, type Summary } from '@cert/trainer/pipeline';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { epochLine } from './drafts.js';
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
    ...{
      type: 'start',
      folder: 'runs/a b',
      config,
      parameters: 163006,
      inputShape: [28, 28, 1],
      trainImages: 8000,
      testImages: 2000,
    },
    ...{
      epochs: 12,
      stepsPerEpoch: 2,
      step: 2,
      device: { name: 'cpu', description: 'ONNX Runtime', reason: 'the fastest' },
    },
  },
  { type: 'step', step: 3, ...numbers },
  { type: 'step', step: 4, ...numbers },
  { type: 'epoch', step: 4, trainSeconds: 12.34, test: summary, monitored: 'test', ...numbers },
  { type: 'evaluating', images: 250, of: 2000 },
  { type: 'finished', folder: 'runs/a b', summary },
];

/** What a progressReporter prints for the events. */
function report(screen: NodeJS.WritableStream | null, shown = events): string[] {
  const lines: string[] = [];
  const show = progressReporter({ out: (line) => void lines.push(line), err: () => {}, screen });
  for (const event of shown) {
    // Longer than a moment: the line that changes is drawn again.
    vi.advanceTimersByTime(500);
    show(event);
  }
  show.close();
  return lines;
}

/** A terminal with the given number of columns, and the lines that were drawn on it. */
function drawnOn(columns: number) {
  const screen = Object.assign(new PassThrough(), { columns });
  let text = '';
  screen.on('data', (chunk) => {
    text += chunk;
  });
  return { screen, drawn: () => text.split('\r\u001b[K').flatMap((line) => line.replace('\r', '') || []) };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('shows a warning on a screen and in a pipe', () => {
  const warning: RunEvent = { type: 'warning', message: 'The regularizer x changes nothing.' };
  const text = ['Warning: The regularizer x changes nothing.'];
  expect([report(null, [warning]), report(new PassThrough(), [warning])]).toEqual([text, text]);
});

describe('reporter', () => {
  it('in a pipe prints one line an epoch', () => {
    expect(report(null)).toEqual([
      'digits/quick (fast), seed 0: small-conv with 163006 parameters, 8000 + 2000 images of digits, on ONNX Runtime (the fastest), resumed after step 2',
      'epoch 2  epsilon 0.05  rate 0.002  loss 0.5123  test error 4.20 %  verified error 8.90 %  0:00:12',
      'standard error 4.20 %, PGD error 7.00 %, verified error 8.90 %',
    ]);
  });

  it.each([
    [120, /^epoch 2\/12 \|\u2588+\| 100 % {2}loss 0\.5123 {2}epsilon 0\.05 {2}0:01:(30|29) left$/],
    [80, /^epoch 2\/12 \|\u2588+\| 100 % {2}loss 0\.5123 {2}epsilon 0\.05 {2}\d+:\d\d:\d\d left$/],
    [60, /^epoch 2\/12 \|\u2588+\| loss 0\.512 {2}eps 0\.05 {2}\d+:\d\d:\d\d left$/],
  ])('on a screen of %i columns draws one line that changes', async (columns, training) => {
    const { screen, drawn } = drawnOn(columns);
    const lines = report(screen);
    expect(lines.flatMap((line) => line.split('\n')).every((line) => line.length <= columns)).toBe(true);
    expect(lines.at(-1)).toMatch(/^epoch 2\/12 {2}loss 0\.512.* {2}error 4\.2 % {2}verified error 8\.9 %/);
    expect(drawn()[0]).toBe('epoch 2/12  compiling ... 0:00:00');
    expect(drawn()).toContainEqual(expect.stringMatching(training));
    expect(drawn()).toContainEqual(expect.stringMatching(/^evaluation \|.+\| 250\/2000 images {2}\d+:\d\d:\d\d left$/));
    expect(drawn().every((line) => line.length < columns)).toBe(true);
  });

  it('a second epoch has the verified error of the first, and radii as people write them', () => {
    const { screen, drawn } = drawnOn(100);
    const later: RunEvent[] = [7, 8, 9].map((step) => ({ type: 'step', step, ...numbers, epoch: 4, epsilon: 8 / 255 }));
    report(screen, [...events.slice(0, 4), ...later]);
    expect(drawn().at(-1)).toMatch(/epsilon 8\/255 {2}verified error 8\.9 % {2}\d+:\d\d:\d\d left/);
  });

  it('a run that is resumed behind its last epoch is evaluated', () => {
    const { screen, drawn } = drawnOn(80);
    const start = events[0];
    if (start?.type !== 'start') throw new Error('the first event is the start');
    report(screen, [{ ...start, step: start.epochs * start.stepsPerEpoch }]);
    expect(drawn()).toEqual(['evaluation  compiling ... 0:00:00']);
  });

  it('shows that images are decoded: a bar on a screen, a line in a pipe', () => {
    const events = [1, 2, 3].map((images) => ({ type: 'decoding', images, of: 3 }) as const);
    const { screen, drawn } = drawnOn(80);
    expect(report(screen, events)).toEqual([]);
    expect(drawn().at(-1)).toMatch(/^decoding \|\u2588+\u2591+\| 2\/3 images {2}0:00:\d\d left$/);
    expect(report(null, events)).toEqual(['Decoding 3 images. Decoded images are cached for later runs.']);
  });

  it('begins the bar of a continued evaluation where it stands', () => {
    const { screen, drawn } = drawnOn(80);
    const state = { type: 'evaluating', of: 400, before: 300 } as const;
    const at = [300, 301, 350, 351].map((images) => ({ ...state, images }));
    report(screen, at);
    const times = drawn().map((line) => /(\d+)\/400 images {2}(.*) left/.exec(line)?.slice(1) ?? line);
    expect(times).toEqual(['evaluation  compiling ... 0:00:00', ['301', '0:00:49'], ['350', '0:00:01']]);
  });

  it('in a pipe tells at least every 30 seconds how far it is, and nothing after the end', () => {
    const lines: string[] = [];
    const show = progressReporter({ out: (line) => void lines.push(line), err: () => {}, screen: null });
    show(events[0]!);
    vi.advanceTimersByTime(61_000);
    show(events[1]!);
    vi.advanceTimersByTime(30_000);
    show(events[2]!);
    vi.advanceTimersByTime(31_000);
    expect(lines.slice(1)).toEqual([
      'epoch 2/12  compiling ... 0:00:30',
      'epoch 2/12  compiling ... 0:01:00',
      'epoch 2/12  50 %  loss 0.5123  epsilon 0.05',
      expect.stringMatching(/^epoch 2\/12 {2}100 % {2}loss 0\.5123 {2}epsilon 0\.05 {2}\d+:\d\d:\d\d left/),
    ]);
    show.close();
    vi.advanceTimersByTime(100_000);
    expect(lines).toHaveLength(5);
  });

  it('warns once of a run that takes more than an hour, and of no other', () => {
    const start = { ...events[0]!, epochs: 100, stepsPerEpoch: 100, step: 0 } as RunEvent;
    const warnings = (secondsLeft: number) => {
      const lines: string[] = [];
      const show = progressReporter({ out: (line) => void lines.push(line), err: () => {}, screen: null });
      show(start);
      for (let step = 1; step <= 20; step++) show({ type: 'step', step, ...numbers, secondsLeft });
      show.close();
      return lines.filter((line) => line.startsWith('Warning'));
    };
    expect(warnings(3000)).toEqual([]);
    expect(warnings(5 * 3600 + 62)).toEqual([
      expect.stringMatching(
        /^Warning: this run will take about 5:01:02 \(h:mm:ss\)\. To shorten it, .*--epochs.*--width/,
      ),
    ]);
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
    describeEvent({ type: 'epoch', step: 4, trainSeconds: 1, test: summary, monitored: 'test', ...numbers, epsilon });
  expect(at(8 / 255)).toContain('  epsilon 8/255  ');
  expect(at(0.0123456)).toContain('  epsilon 0.01235  ');
  expect(at(0.1)).toContain('  epsilon 0.1  ');
  expect(at(0.1)).toContain('  test error ');
});

it('an epoch that is tested on validation images says so, at any width', () => {
  const event = { type: 'epoch', step: 4, trainSeconds: 1, monitored: 'validation' } as const;
  const worst = { ...summary, standardError: 1, verifiedError: 1 };
  const line = (width: number) => epochLine({ ...numbers, ...event, test: worst, epoch: 100 }, 100, width);
  expect(line(120)).toMatch(/^epoch 100\/100 .* validation error 100\.0 % {2}verified error 100\.0 % {2}0:00:01$/);
  expect(line(60)).toBe('100/100  validation error 100.0 %  verified error 100.0 %');
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
      'training time                                       0:00:41                       0:00:41',
      'device                                         ONNX Runtime                  ONNX Runtime',
    ]);
  });

  it('puts the runs that do not fit beside each other below each other', () => {
    const runs = ['fast', 'vanilla', 'crown-ibp'].map((method) => ({ ...summary, method }));
    const lines = resultTable(runs, { screen: drawnOn(80).screen }).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines.filter((line) => line.startsWith('verified error (IBP)'))).toHaveLength(2);
  });

  it('of nothing is empty', () => {
    expect(resultTable([])).toBe('');
  });
});
