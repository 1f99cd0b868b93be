import { CertError, describeValue } from '@cert/core';

/** A layer in a message. */
export interface NamedLayer {
  /** The name that the model gives it. */
  readonly name: string;
  /** Its class, such as `Conv2D`. */
  readonly className: string;
}

const describeLayer = ({ name, className }: NamedLayer): string =>
  `the layer ${describeValue(name.slice(0, 80))} (${className.slice(0, 40)})`;

/** The error of a layer that has no counterpart here. */
export const unsupported = (layer: NamedLayer, problem: string, cure: string): CertError =>
  new CertError('missing-rule', `The import does not support ${describeLayer(layer)}: ${problem}.`, cure);

/** The error of a model that is damaged, or is none. */
export const badModel = (problem: string, cure = 'Save the model again, in the layers format.'): CertError =>
  new CertError('bad-file', `The TensorFlow.js model ${problem}.`, cure);

/** The error of a layer that is wrong in itself. */
export const badLayer = (layer: NamedLayer, problem: string, cure?: string): CertError =>
  badModel(`has ${describeLayer(layer)}, ${problem}`, cure);
