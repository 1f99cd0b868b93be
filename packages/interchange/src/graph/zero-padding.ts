import { conv2d, type HostTensor, type Layer } from '@cert/core';
import { compact } from './windows.js';

/** Zeros at the top, bottom, left and right. */
export type Zeros = readonly [number, number, number, number];

/** Zeros around an image as a convolution of each channel with the kernel [[1]]: the layer and its parameters. */
export function zeroPadding(
  channels: number,
  zeros: Zeros,
): { readonly layer: Layer<'conv2d'>; readonly params: { readonly kernel: HostTensor; readonly bias: HostTensor } } {
  return {
    layer: conv2d(channels, { kernel: 1, padding: compact(zeros), groups: channels }),
    params: {
      kernel: { shape: [1, 1, 1, channels], data: new Float32Array(channels).fill(1) },
      bias: { shape: [channels], data: new Float32Array(channels) },
    },
  };
}
