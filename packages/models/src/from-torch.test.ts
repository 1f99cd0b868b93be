import { batchNorm, conv2d, dense, flatten, type HostTensor, relu, sequential, sizeOf } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { fromTorch, mlp, smallConv } from './index.js';

/** A tensor whose values are 0, 1, 2, ... in PyTorch's order. */
const counted = (...shape: number[]): HostTensor => ({
  shape,
  data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => i),
});

const model = sequential([2, 2, 1], [conv2d(2), batchNorm(), relu(), flatten(), dense(3)]);
const state = {
  '10.bias': counted(3),
  '10.weight': counted(3, 8),
  '2.weight': counted(2, 1, 3, 3),
  '3.bias': counted(2),
  '3.num_batches_tracked': { shape: [], data: Int32Array.of(7) },
  '3.running_mean': counted(2),
  '3.running_var': counted(2),
  '3.weight': counted(2),
};

describe('fromTorch', () => {
  const { params, stats } = fromTorch(model, state);

  it('takes layers in their order, 2 before 10, and a convolution without bias', () => {
    expect(params.conv2d1!.bias).toEqual({ shape: [2], data: new Float32Array(2) });
    expect(stats.batchNorm1!.variance).toEqual({ shape: [2], data: Float32Array.of(0, 1) });
    expect(Object.keys(params)).toEqual(['conv2d1', 'batchNorm1', 'dense1']);
  });

  it('puts every number where our layout has it', () => {
    const { kernel } = params.conv2d1!;
    expect(kernel!.shape).toEqual([3, 3, 1, 2]);
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 3; column++) {
        for (let filter = 0; filter < 2; filter++) {
          expect(kernel!.data[(row * 3 + column) * 2 + filter]).toBe(filter * 9 + row * 3 + column);
        }
      }
    }
    // The input of the dense layer is [row, column, channel] here and [channel, row, column] there.
    const { kernel: head } = params.dense1!;
    expect(head!.shape).toEqual([8, 3]);
    for (let pixel = 0; pixel < 4; pixel++) {
      for (let channel = 0; channel < 2; channel++) {
        for (let unit = 0; unit < 3; unit++) {
          expect(head!.data[(pixel * 2 + channel) * 3 + unit]).toBe(unit * 8 + channel * 4 + pixel);
        }
      }
    }
  });

  it('takes rows of features as they are', () => {
    const rows = mlp({ inputShape: [3], classes: 2, hidden: [4], batchNorm: false });
    const weights = {
      'a.weight': counted(4, 3),
      'a.bias': counted(4),
      'b.weight': counted(2, 4),
      'b.bias': counted(2),
    };
    const [first] = Object.values(fromTorch(rows, weights).params);
    expect(first!.kernel).toEqual({ shape: [3, 4], data: Float32Array.of(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11) });
  });

  it.each([
    [
      'a layer too few',
      { ...state, '10.weight': undefined },
      'the file has 2 layers (["2","3"]) and the model 3 nodes',
    ],
    ['a kernel of another size', { ...state, '2.weight': counted(2, 1, 5, 5) }, '"conv2d1" has the shape [2,1,5,5]'],
    ['a dense layer turned round', { ...state, '10.weight': counted(8, 3) }, 'instead of [3,8]'],
    ['no statistics', { ...state, '3.running_var': undefined }, '"batchNorm1" needs "3.running_var", which is missing'],
    [
      'a scale of another size',
      { ...state, '3.weight': counted(4) },
      '"3.weight" has the shape [4], but "batchNorm1" takes [2]',
    ],
  ])('names what does not fit: %s', (_, wrong, problem) => {
    const present = Object.entries(wrong).filter((entry): entry is [string, HostTensor] => entry[1] !== undefined);
    expect(() => fromTorch(model, Object.fromEntries(present))).toThrow(problem);
  });

  it('needs a name for every node where names are given', () => {
    expect(() => fromTorch(model, state, { conv2d1: '2' })).toThrow('no name was given for "batchNorm1"');
    expect(() => fromTorch(smallConv({ inputShape: [8, 8, 1], classes: 3 }), state)).toThrow('the file has 3 layers');
  });
});
