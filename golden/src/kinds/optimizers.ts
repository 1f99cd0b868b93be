import { disposeTree, type OnDevice, putScalars, putTree } from '@cert/jit';
import { adam, adamw, type Optimizer, type OptimizerState, radam, sgd } from '@cert/trainer';
import type { Tolerance } from '../compare.js';
import { putParams } from '../device-call.js';
import type { Field } from '../field.js';
import type { Kind } from '../kind.js';
import type { NumberTree } from '../net.js';

/** The file is in float64. */
const FLOAT32: Tolerance = { relative: 1e-5, absolute: 2e-6 };

const OPTIMIZERS: { readonly [name: string]: (options: { readonly [option: string]: number }) => Optimizer } = {
  adam,
  adamw,
  radam,
  sgd,
};

/** Steps of an optimizer over given gradients: `optimizers`. */
export const optimizers: Kind = {
  on: 'devices',
  async compare({ file }, device, to) {
    for (const entry of file.get('cases').list()) {
      const optimizer = readOptimizer(entry);
      const start = readTree(entry.get('start'));
      let params = putParams(device, start);
      let state = putTree(device, optimizer.init(hostParams(start))) as OnDevice<OptimizerState>;
      const update = device.jit(optimizer.update);
      for (const [i, step] of entry.get('steps').list().entries()) {
        const gradients = putParams(device, readTree(step.get('gradients')));
        const hyper = putScalars(device, {
          ...optimizer.hyper(i),
          learningRate: step.get('learning_rate').number(),
        });
        const next = await update(params, gradients, state, hyper);
        disposeTree([params, gradients, state, hyper]);
        ({ params, state } = next);
        for (const [name, tensor] of Object.entries(params.layer!)) {
          const wanted = step.get('params').get(name).tensor();
          to.add(`${optimizer.name} ${name}`, await tensor.data(), wanted, FLOAT32, `step ${i}`);
        }
      }
      disposeTree([params, state]);
      await update.dispose();
    }
  },
};

function readOptimizer(entry: Field): Optimizer {
  const name = entry.get('optimizer');
  const make = Object.hasOwn(OPTIMIZERS, name.text()) ? OPTIMIZERS[name.text()] : undefined;
  if (make === undefined) throw name.wrong(`is "${name.text()}"; ${Object.keys(OPTIMIZERS).join(', ')} are known`);
  return make(
    Object.fromEntries(
      entry
        .get('options')
        .entries()
        .map(([option, value]) => [option, value.number()]),
    ),
  );
}

/** The tensors of a case as parameters of one node. */
const readTree = (tensors: Field): NumberTree => ({
  layer: Object.fromEntries(tensors.entries().map(([name, tensor]) => [name, tensor.tensor()])),
});

const hostParams = (tree: NumberTree) =>
  Object.fromEntries(
    Object.entries(tree).map(([node, tensors]) => [
      node,
      Object.fromEntries(
        Object.entries(tensors).map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]),
      ),
    ]),
  );
