import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { shortSite } from './call-sites.js';
import { readProfile } from './events.js';
import { summarize } from './profile.js';

const node = (name: string, op: string, ts: number, dur: number, output: number[] = [2, 3]) => ({
  cat: 'Node',
  name: `${name}_kernel_time`,
  ts,
  dur,
  args: { op_name: op, input_type_shape: [{ float: [2, 3] }, { int64: [] }], output_type_shape: [{ float: output }] },
});
const run = (ts: number, dur: number) => ({ cat: 'Session', name: 'model_run', ts, dur, args: {} });

/** Two runs, written as ONNX Runtime does: a run after its nodes. */
const text = JSON.stringify([
  { cat: 'Session', name: 'session_initialization', ts: 0, dur: 90 },
  node('t1', 'Mul', 101, 4000),
  node('t2', 'Add', 4200, 1000),
  run(100, 6000),
  node('t1', 'Mul', 7001, 2000),
  node('t2', 'Add', 9100, 3000),
  node('t3', 'Mul', 12_200, 500, []),
  run(7000, 6000),
]);

/** A dispatch as ONNX Runtime's WebGPU provider writes it. */
const dispatch = (name: string, ts: number, dur: number, shapes: string) => ({
  ...{ cat: 'Api', pid: -1, name, ts, dur },
  args: { shapes },
});

it('of a GPU counts dispatches, what they move and the time that they take there', () => {
  const onGpu = JSON.stringify([
    node('t1', 'ReduceSum', 101, 10),
    dispatch('t1&ReduceSum&Transpose', 300, 2000, 'inputs[0] = {512,512} outputs[0] = {512,512} '),
    dispatch('t1&ReduceSum&ReduceSum', 2300, 1000, 'inputs[0] = {512,512} outputs[0] = {} '),
    node('t2', 'Reshape', 111, 5),
    run(100, 6000),
    // Of another run, which is not asked for.
    dispatch('t1&ReduceSum&Transpose', 6300, 2000, 'inputs[0] = {512,512} outputs[0] = {512,512} '),
  ]);
  const { gpu, nodesMs, nodes } = summarize('x', readProfile(onGpu), () => undefined);
  expect(gpu?.dispatches).toBe(2);
  expect(gpu?.movedMiB).toBeCloseTo(3 + 1 / 2 ** 18, 10);
  expect(nodesMs).toBeCloseTo(3.005, 10);
  expect(nodes.map((row) => [row.node, row.gpu?.dispatches])).toEqual([
    ['t1', 2],
    ['t2', undefined],
  ]);
});

describe('a profile', () => {
  it('is read run by run, with shapes', () => {
    const [first, second] = readProfile(text);
    expect(first).toMatchObject({ ms: 6, nodes: [{ node: 't1' }, { node: 't2', op: 'Add', ms: 1 }] });
    expect(second!.nodes).toHaveLength(3);
    expect(second!.nodes[2]).toEqual({
      node: 't3',
      op: 'Mul',
      ms: 0.5,
      dispatches: 0,
      movedMiB: 0,
      inputs: ['2x3', 'scalar'],
      outputs: ['scalar'],
    });
  });

  it('is summed up in means a step, the largest first', () => {
    const sites = new Map([
      ['t1', 'a.ts:1'],
      ['t2', 'a.ts:1'],
    ]);
    const profile = summarize('x', readProfile(text), (name) => sites.get(name));
    expect(profile).toMatchObject({ steps: 2, runMs: 6, nodesMs: 5.25 });
    expect(profile.ops).toEqual([
      { op: 'Mul', count: 1.5, ms: 3.25, share: 3.25 / 5.25 },
      { op: 'Add', count: 1, ms: 2, share: 2 / 5.25 },
    ]);
    expect(profile.nodes.map((row) => [row.node, row.ms, row.site])).toEqual([
      ['t1', 3, 'a.ts:1'],
      ['t2', 2, 'a.ts:1'],
      ['t3', 0.25, ''],
    ]);
    expect(profile.sites.map((row) => [row.site, row.count])).toEqual([
      ['a.ts:1', 2],
      ['', 0.5],
    ]);
  });
});

it('shortens stack frames to paths from the root of the repository', () => {
  const file = fileURLToPath(new URL('../../../packages/bounds/src/ibp.ts', import.meta.url));
  expect(shortSite(`Object.relu (file://${file}:52:22)`)).toBe('packages/bounds/src/ibp.ts:52 Object.relu');
  expect(shortSite(`<anonymous> (${file}:5:7)`)).toBe('packages/bounds/src/ibp.ts:5');
  expect(shortSite(`${file}:5:7`)).toBe('packages/bounds/src/ibp.ts:5');
  expect(shortSite(`conv2d (${file}:5:7), gradient`)).toBe('packages/bounds/src/ibp.ts:5 conv2d, gradient');
  expect(shortSite(`${file}:5:7, gradient`)).toBe('packages/bounds/src/ibp.ts:5, gradient');
  expect(shortSite('elsewhere')).toBe('elsewhere');
});
