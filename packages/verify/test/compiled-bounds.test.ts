/** Bounds of the ops that networks from other programs bring, as the CPU device compiles them. */
import { crownIbp, ibp, type Lines, linearRelaxation, linesOf, naturalPass } from '@cert/bounds';
import { leakyRelu, relu, sequential, sigmoid, type Tensor, tanh } from '@cert/core';
import { cpuDevice } from '@cert/jit/node';
import { boundedOps, boundMethodSuite, linesSuite } from '@cert/testing';
import { afterAll, describe, it } from 'vitest';

const device = await cpuDevice();
afterAll(() => device.dispose());

/** The nets of these ops, and single layers; gradients of what is compiled are among the checks that compare both. */
const NETS =
  /\((windows|maxima|smooth|moved|.*(rows unlike|padd|of elements|reshape|transpose|concat|maxPool|sigmoid|tanh|leakyRelu).*)\)$/;
/** An attack would compile as many gradients as there are nodes, of bounds that other checks compare with eager ones. */
const CHECKS = /^(?!.*gradient attack).*(compiled for|gives compiled)/;

describe.each([
  ['ibp', ibp, 'layers'],
  ['crown-ibp', crownIbp, 'output'],
] as const)('%s, compiled', (_, method, exactOn) => {
  const suite = boundMethodSuite({ method, forward: naturalPass, ops: boundedOps, exactOn, device });
  for (const { name, run } of suite.filter((check) => CHECKS.test(check.name) && NETS.test(check.name))) it(name, run);
});

describe.each([
  ['relu', relu(), (x: number) => Math.max(0, x)],
  ['leakyRelu', leakyRelu(0.1), (x: number) => (x >= 0 ? x : 0.1 * x)],
  ['sigmoid', sigmoid(), (x: number) => 1 / (1 + Math.exp(-x))],
  ['tanh', tanh(), Math.tanh],
] as const)('lines of %s, compiled', (name, layer, f) => {
  const lines: (box: { lower: Tensor; upper: Tensor }) => Lines = (box) =>
    Object.values(
      linesOf(linearRelaxation, { model: sequential(box.lower.shape.slice(1), [layer]), params: {} }, { input: box }),
    )[0]!;
  for (const { name: check, run } of linesSuite({ name, f, lines, device }).filter((one) =>
    one.name.endsWith(', compiled for cpu'),
  )) {
    it(check, run);
  }
});
