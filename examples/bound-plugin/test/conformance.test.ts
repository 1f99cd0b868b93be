import { crownIbpOf, extendRules, linesOf, naturalPass, standardRules } from '@cert/bounds';
import { sequential } from '@cert/core';
import { boundMethodSuite, type Forward, linesSuite } from '@cert/testing';
import { describe, it } from 'vitest';
import { elbow, elbowRules, zonotope } from '../src/index.js';

const rules = extendRules(standardRules, { elbow: elbowRules });
const forward: Forward = (network, images) => naturalPass(network, images, rules.natural);
const layers = [elbow(0.1)];

describe('the op in the tables of the packages', () => {
  const crownIbp = crownIbpOf({ forward: rules.ibp, backward: rules.linearRelaxation });
  for (const suite of [
    boundMethodSuite({ method: rules.ibp, forward, layers, ops: ['dense', 'conv2d', 'flatten'] }),
    boundMethodSuite({ method: crownIbp, forward, layers, ops: ['dense', 'conv2d', 'flatten'], exactOn: 'output' }),
    linesSuite({
      name: 'elbow',
      f: (x) => Math.max(x, 0.1 * x),
      lines(box) {
        const model = sequential(box.lower.shape.slice(1), layers);
        return linesOf(rules.linearRelaxation, { model, params: {} }, { input: box }).elbow1!;
      },
    }),
  ]) {
    for (const { name, run } of suite) it(name, run);
  }
});

describe('zonotopes', () => {
  // The inputs of the suite's nets have a generator for each element, so that affine nets are bounded exactly.
  const suite = boundMethodSuite({ method: zonotope(), forward, layers, exactOn: 'affine' });
  for (const { name, run } of suite) it(name, run);

  // With few generators they are born deep in the nets, at different nodes of the branches.
  const few = boundMethodSuite({ method: zonotope({ generators: 8 }), forward, layers, exactOn: 'layers' });
  for (const { name, run } of few) it(`8 generators, ${name}`, run);
});
