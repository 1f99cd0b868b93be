import { CertError } from '@cert/core';
import { expect, it } from 'vitest';
import { buildOnnx } from '../test/build-onnx.js';
import { inputInFile, propertyInFile, propertyInModel, readOnnx, readVnnlib } from './index.js';

/** Two channels of 2 x 1 pixels: ONNX has both pixels of a channel first, the model both channels of a pixel. */
const network = readOnnx(
  buildOnnx({
    input: [1, 2, 2, 1],
    constants: { k: { shape: [1, 2, 1, 1], data: [1, 2] } },
    nodes: [{ op: 'Conv', inputs: ['x', 'k'], name: 'y' }],
  }),
);
const variables = [0, 1, 2, 3].map(
  (i) => `(declare-const X_${i} Real) (assert (and (>= X_${i} ${i}) (<= X_${i} ${i + 10})))`,
);
const property = readVnnlib(
  `(declare-const Y_0 Real) (declare-const Y_1 Real) ${variables.join('\n')} (assert (or (<= Y_0 0) (<= Y_1 0)))`,
);

it('moves the boxes of a property into the order of the model, and inputs back', () => {
  expect(network.model.inputShape).toEqual([2, 1, 2]);
  const { cases } = propertyInModel(network, property);
  expect([...cases[0]!.lower]).toEqual([0, 2, 1, 3]);
  expect([...cases[0]!.upper]).toEqual([10, 12, 11, 13]);
  expect(cases[1]!.lower).toBe(cases[0]!.lower);
  expect(cases[1]!.outputs).toBe(property.cases[1]!.outputs);
  expect([...inputInFile(network, Float32Array.of(0, 2, 1, 3))]).toEqual([0, 1, 2, 3]);
  expect(propertyInFile(network, propertyInModel(network, property))).toEqual(property);
});

it('refuses what was written for another network', () => {
  const { model } = network;
  expect(() => propertyInModel({ model, inputOrder: Int32Array.of(0) }, property)).toThrow(CertError);
  expect(() => propertyInModel(network, { ...property, outputs: 3 })).toThrow(
    '4 inputs and 3 outputs, but the network has 4 inputs and 2 outputs',
  );
  expect(() => propertyInFile({ inputOrder: Int32Array.of(0) }, property)).toThrow(
    'The property has 4 inputs, but the network has 1 inputs.',
  );
  expect(() => inputInFile(network, new Float32Array(8))).toThrow('8 values, but the network has 4 inputs');
});
