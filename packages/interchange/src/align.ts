import { CertError, type Property } from '@cert/core';
import type { ImportedNetwork } from './onnx/read-onnx.js';

/**
 * Returns a property of an imported network with inputs in the order of the model: `lower` and `upper` are then boxes of
 * `model.inputShape`, row-major. Cases that share a box still share it.
 *
 * @throws CertError `shape-mismatch` for a property with another number of inputs or outputs than the network has
 */
export function propertyInModel(
  { model, inputOrder }: Pick<ImportedNetwork, 'model' | 'inputOrder'>,
  property: Property,
): Property {
  if (property.inputs !== inputOrder.length || property.outputs !== model.classes) {
    throw new CertError(
      'shape-mismatch',
      `The property has ${property.inputs} inputs and ${property.outputs} outputs, but the network has ${inputOrder.length} inputs and ${model.classes} outputs.`,
      'Use a property of this network.',
    );
  }
  const moved = new Map<Float64Array, Float64Array>();
  const move = (values: Float64Array): Float64Array => {
    const known = moved.get(values);
    if (known !== undefined) return known;
    const own = new Float64Array(values.length);
    inputOrder.forEach((position, i) => {
      own[position] = values[i]!;
    });
    moved.set(values, own);
    return own;
  };
  const cases = property.cases.map(({ lower, upper, outputs }) => ({
    lower: move(lower),
    upper: move(upper),
    outputs,
  }));
  return { ...property, cases };
}

/**
 * Returns an input of the model in the order of the ONNX file, for a witness or a runtime.
 *
 * @param input one example, row-major
 * @throws CertError `shape-mismatch` for another number of values than the network has inputs
 */
export function inputInFile({ inputOrder }: Pick<ImportedNetwork, 'inputOrder'>, input: Float32Array): Float32Array {
  if (input.length !== inputOrder.length) {
    throw new CertError(
      'shape-mismatch',
      `The input has ${input.length} values, but the network has ${inputOrder.length} inputs.`,
      'Give a single input, not a batch.',
    );
  }
  return Float32Array.from(inputOrder, (position) => input[position]!);
}
