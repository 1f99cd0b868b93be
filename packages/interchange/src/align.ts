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
  return withInputs(property, (values) => {
    const own = new Float64Array(values.length);
    inputOrder.forEach((position, i) => {
      own[position] = values[i]!;
    });
    return own;
  });
}

/**
 * Returns a property of a model with inputs in the order of an ONNX file: the reverse of {@link propertyInModel}, for `writeVnnlib`. The
 * order is that of an imported network, or `{ inputOrder: exportedInputOrder(model, layout) }`.
 *
 * @throws CertError `shape-mismatch` for a property with another number of inputs than the network has
 */
export function propertyInFile({ inputOrder }: Pick<ImportedNetwork, 'inputOrder'>, property: Property): Property {
  if (property.inputs !== inputOrder.length) {
    throw new CertError(
      'shape-mismatch',
      `The property has ${property.inputs} inputs, but the network has ${inputOrder.length} inputs.`,
      'Use a property of this network.',
    );
  }
  return withInputs(property, (values) => Float64Array.from(inputOrder, (position) => values[position]!));
}

/** A property with moved inputs. Cases that share a box still share it. */
function withInputs(property: Property, move: (values: Float64Array) => Float64Array): Property {
  const known = new Map<Float64Array, Float64Array>();
  const moved = (values: Float64Array): Float64Array => {
    const own = known.get(values) ?? move(values);
    known.set(values, own);
    return own;
  };
  const cases = property.cases.map(({ lower, upper, outputs }) => ({
    lower: moved(lower),
    upper: moved(upper),
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
