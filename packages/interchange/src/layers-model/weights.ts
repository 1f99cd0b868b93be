import { describeValue, type HostTensor, type Shape, sizeOf } from '@cert/core';
import { badLayer, badModel, type NamedLayer } from './errors.js';

/** A weight as the model holds it. */
export interface NamedWeight {
  /** Such as `conv1/kernel`. */
  readonly name: string;
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** The weights of a model, handed out by layer and name. */
export interface WeightSource {
  /**
   * A weight of a layer.
   *
   * @throws CertError `bad-file` naming the layer, where there is none, or one of another shape, or one that is not finite
   */
  take(layer: NamedLayer, names: readonly string[], shape: Shape): HostTensor;
  /** The shape of a weight of a layer; undefined where there is none. */
  shapeOf(layer: NamedLayer, name: string): Shape | undefined;
  /** @throws CertError `bad-file` for a weight that nothing took: the layers would compute something else than the file says */
  finish(): void;
}

/** Weights to hand out. */
export function weightSource(weights: readonly NamedWeight[]): WeightSource {
  const byName = new Map<string, NamedWeight>();
  for (const weight of weights) {
    if (byName.has(weight.name)) throw badModel(`has two weights with the name ${describeValue(weight.name)}`);
    byName.set(weight.name, weight);
  }
  /** By weight, the layer that has it. A layer may be called several times. */
  const owners = new Map<string, NamedLayer>();
  /** A layer inside a model may have the names of the models around it in front of its own. */
  const find = (layer: NamedLayer, name: string): NamedWeight | undefined => {
    const own = `${layer.name}/${name}`;
    const exact = byName.get(own);
    if (exact !== undefined) return exact;
    const inside = weights.filter((weight) => weight.name.endsWith(`/${own}`));
    if (inside.length > 1) {
      throw badModel(
        `has ${inside.length} weights whose names end in ${describeValue(own)}`,
        'Give every layer a unique name, also layers of different submodels.',
      );
    }
    return inside[0];
  };
  return {
    shapeOf: (layer, name) => find(layer, name)?.shape,
    take(layer, names, shape) {
      const found = names.map((name) => find(layer, name)).find((weight) => weight !== undefined);
      if (found === undefined) {
        throw badLayer(
          layer,
          `whose weight "${names[0]}" of shape [${shape}] is missing`,
          'Give all weight files of the model. Models whose weights are numbered instead of named must be saved again as .h5 and converted.',
        );
      }
      if (found.shape.join() !== shape.join() || found.data.length !== sizeOf(shape)) {
        throw badLayer(
          layer,
          `whose weight ${describeValue(found.name)} has the shape [${found.shape}] instead of [${shape}]`,
          'Give the weight files that were saved with this model.',
        );
      }
      const at = found.data.findIndex((value) => !Number.isFinite(value));
      if (at !== -1) {
        throw badLayer(layer, `whose weight ${describeValue(found.name)} has ${found.data[at]} at ${at}`);
      }
      const owner = owners.get(found.name) ?? layer;
      if (owner !== layer) {
        throw badLayer(
          layer,
          `whose weight "${names[0]}" is missing: ${describeValue(found.name)} is that of another layer`,
          'Give all weight files of the model, and every layer a unique name.',
        );
      }
      owners.set(found.name, owner);
      return { shape: found.shape, data: found.data };
    },
    finish() {
      const other = weights.find(({ name }) => !owners.has(name));
      if (other === undefined) return;
      throw badModel(
        `has a weight ${describeValue(other.name)} of shape [${other.shape}] that no layer uses`,
        'Give the weight files that were saved with this model.',
      );
    },
  };
}
