import { describe, expect, it } from 'vitest';
import { activation, convKernel, denseKernelAfter, features, permute } from './layout.js';

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

describe('layout', () => {
  it('permutes axes', () => {
    expect(permute({ shape: [2, 3], data: [1, 2, 3, 4, 5, 6] }, [1, 0])).toEqual({
      shape: [3, 2],
      data: [1, 4, 2, 5, 3, 6],
    });
    const kernel = convKernel({ shape: [2, 3, 4, 5], data: range(120) });
    expect(kernel.shape).toEqual([4, 5, 3, 2]);
    // Ours at [h, w, in, out] is PyTorch's at [out, in, h, w].
    const [h, w, input, output] = [3, 2, 1, 1];
    expect(kernel.data[((h * 5 + w) * 3 + input) * 2 + output]).toBe(((output * 3 + input) * 4 + h) * 5 + w);
  });

  it('orders what a flattened image feeds: channels last', () => {
    const placement = { image: [1, 2, 2], flat: true } as const;
    // PyTorch flattens [c, h, w]: c0w0 c0w1 c1w0 c1w1; ours [h, w, c]: w0c0 w0c1 w1c0 w1c1.
    expect(features({ shape: [4], data: [10, 11, 20, 21] }, placement).data).toEqual([10, 20, 11, 21]);
    expect(activation({ shape: [1, 4], data: [10, 11, 20, 21] }, placement)).toEqual({
      shape: [1, 4],
      data: [10, 20, 11, 21],
    });
    expect(denseKernelAfter({ shape: [2, 4], data: [1, 2, 3, 4, 5, 6, 7, 8] }, placement)).toEqual({
      shape: [4, 2],
      data: [1, 5, 3, 7, 2, 6, 4, 8],
    });
  });

  it('leaves plain vectors alone', () => {
    const tensor = { shape: [2, 2], data: [1, 2, 3, 4] };
    expect(activation(tensor, { flat: true })).toEqual(tensor);
  });
});
