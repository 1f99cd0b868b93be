/** Bounds of the ops that networks from other programs bring, as the CPU device compiles them. */
import { crownIbp, ibp, naturalPass } from '@cert/bounds';
import { cpuDevice } from '@cert/jit/node';
import { boundedOps, boundMethodSuite } from '@cert/testing';
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
