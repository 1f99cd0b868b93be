import { expect, it } from 'vitest';
import { summary, wideResnet8 } from './index.js';

it('prints a table with shapes, parameters and totals', () => {
  // Counted by hand: a 3x3 convolution from 1 to 2 channels has 3 * 3 * 1 * 2 + 2 numbers, and so on.
  const model = wideResnet8({ inputShape: [8, 8, 1], classes: 3, stem: 2, widths: [4], dense: 1000 });
  expect(summary(model)).toBe(
    `
node                    op         inputs                              shape      parameters
--------------------------------------------------------------------------------------------
conv1                   conv2d                                         [8, 8, 2]          20
bn1                     batchNorm                                      [8, 8, 2]           4
relu1                   relu                                           [8, 8, 2]           0
layer1_0_conv1          conv2d                                         [8, 8, 4]          76
layer1_0_bn1            batchNorm                                      [8, 8, 4]           8
layer1_0_relu1          relu                                           [8, 8, 4]           0
layer1_0_conv2          conv2d                                         [8, 8, 4]         148
layer1_0_bn2            batchNorm                                      [8, 8, 4]           8
layer1_0_shortcut_conv  conv2d     relu1                               [8, 8, 4]          12
layer1_0_shortcut_bn    batchNorm                                      [8, 8, 4]           8
layer1_0_add            add        layer1_0_bn2, layer1_0_shortcut_bn  [8, 8, 4]           0
layer1_0_relu2          relu                                           [8, 8, 4]           0
flatten                 flatten                                        [256]               0
dense1                  dense                                          [1000]        257,000
dense1_bn               batchNorm                                      [1000]          2,000
dense1_relu             relu                                           [1000]              0
dense2                  dense                                          [3]             3,003
--------------------------------------------------------------------------------------------
input [8, 8, 1], 3 classes
262,287 parameters, 2,028 running statistics`.slice(1),
  );
});
