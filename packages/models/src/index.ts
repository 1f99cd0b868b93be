export {
  type Checkpoint,
  type DecodedCheckpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  type JsonValue,
} from './checkpoint.js';
export { type Cnn6Options, cnn6 } from './cnn6.js';
export { type Cnn7Options, cnn7 } from './cnn7.js';
export { type DmLargeOptions, dmLarge } from './dm-large.js';
export { type FlatTensors, flattenHost, unflattenHost } from './flat-tensors.js';
export { type MlpOptions, mlp } from './mlp.js';
export type { BatchNormPlaces, ClassifierOptions } from './options.js';
export { type ResnextOptions, resnext } from './resnext.js';
export { decodeSafetensors, encodeSafetensors, type Safetensors } from './safetensors.js';
export { assertSameModel } from './same-model.js';
export { sha256 } from './sha256.js';
export { type SmallConvOptions, smallConv } from './small-conv.js';
export { summary } from './summary.js';
export { type WideResnetOptions, wideResnet8 } from './wide-resnet.js';
