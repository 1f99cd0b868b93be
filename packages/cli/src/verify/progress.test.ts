import { Writable } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { progressLine } from './progress.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const STATE = { visited: 7, open: 3, lower: -0.25, region: 1, regions: 2 };

it('writes a line of the error output every 30 seconds in a pipe, whether the search tells something or not', () => {
  const err: string[] = [];
  const terminal = { out: () => {}, err: (line: string) => void err.push(line), screen: null };
  const { tell, close } = progressLine(terminal, { json: false, about: 'net.onnx, ' });
  vi.advanceTimersByTime(31_000);
  tell(STATE);
  vi.advanceTimersByTime(31_000);
  close();
  vi.advanceTimersByTime(100_000);
  expect(err).toEqual([
    'net.onnx, 0:00:30  attack and first bounds',
    'net.onnx, 0:01:00  region 1/2, 7 parts bounded, 3 undecided, lower bound -0.250',
  ]);
});

it('changes one line of a screen and clears it, but not where results are JSON', () => {
  const [shown, err]: string[][] = [[], []];
  const screen = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      shown!.push(text);
      done();
    },
  });
  const terminal = { out: () => {}, err: (line: string) => void err!.push(line), screen };
  const line = progressLine(terminal, { json: false, about: '' });
  line.tell({ ...STATE, regions: 1, lower: Number.NaN });
  vi.advanceTimersByTime(250);
  line.close();
  expect(shown).toEqual([
    '\r\u001b[K0:00:00  attack and first bounds\r',
    '\r\u001b[K0:00:00  7 parts bounded, 3 undecided\r',
    '\r\u001b[K',
  ]);
  const json = progressLine(terminal, { json: true, about: '' });
  vi.advanceTimersByTime(30_000);
  json.close();
  expect([shown!.length, err]).toEqual([3, ['0:00:30  attack and first bounds']]);
});

it('shows nothing with --quiet', () => {
  const err: string[] = [];
  const screen = new Writable({ write: () => void err.push('on the screen') });
  const terminal = { out: () => {}, err: (line: string) => void err.push(line), screen };
  const { tell, close } = progressLine(terminal, { json: false, quiet: true, about: '' });
  tell(STATE);
  vi.advanceTimersByTime(100_000);
  close();
  expect(err).toEqual([]);
});
