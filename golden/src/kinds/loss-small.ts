import { type Params, perturbationBox, type Tensor, tf } from '@cert/core';
import {
  attack,
  type BoundedObjective,
  type ChoiceContext,
  ccIbpObjective,
  createTrainStep,
  crossEntropies,
  crossEntropy,
  expIbpObjective,
  mtlIbpObjective,
  type Optimizer,
  robustLoss,
  robustObjective,
  sabrObjective,
  smallBox,
  type TrainState,
  tapsObjective,
} from '@cert/trainer';
import type { Comparison } from '../compare.js';
import { compileOn, named, type Outputs, put, putLabels, putParams, putScalar } from '../device-call.js';
import { Field, type Numbers } from '../field.js';
import { compareGradients } from '../gradients.js';
import type { Kind } from '../kind.js';
import { type Net, readNet } from '../net.js';

/**
 * Losses between adversarial and IBP training, with the gradients of a training step: `loss_small`. The points that an attack found are
 * given; they enter as the noise of the step.
 */
export const certifiedLosses: Kind = {
  on: 'devices',
  async compare({ file }, device, to) {
    const net = readNet(chainOf(file), file.get('x'));
    const images = net.activation('input', file.get('x').tensor());
    const run = async (objective: BoundedObjective, seen: Seen, given: Numbers) => {
      const step = createTrainStep({ ...{ model: net.model, objective, clipNorm: null }, optimizer: reveal });
      const evaluate = compileOn(
        device,
        (params: Params, stats: Params, x: Tensor, labels: Tensor, epsilon: Tensor, noise: Tensor): Outputs => {
          const state = { params, stats, optimizer: {} } as TrainState;
          const hyper = { epsilon, ramp: epsilon } as Parameters<typeof step>[2];
          const { state: next, metrics } = step(state, { images: x, labels, noise }, hyper);
          return { loss: metrics.loss, ...seen.values, ...named('grad', next.params) };
        },
      );
      return evaluate(
        putParams(device, net.params),
        putParams(device, net.stats),
        put(device, images),
        putLabels(device, file.get('labels')),
        putScalar(device, file.get('eps').number()),
        put(device, given),
      );
    };
    for (const [i, entry] of file.get('cases').list().entries()) {
      const name = entry.get('name').text();
      const seen: Seen = { values: {} };
      const given = entry.has('points')
        ? hidden(entry, 'points', net)
        : net.activation('input', file.get('x_star').tensor());
      const values = await run(objectiveOf(entry, net, seen), seen, given);
      const at = (quantity: string) => `[${i}] ${name} ${quantity}`;
      for (const quantity of ['loss', 'ibp_loss', 'adv_loss', 'taps_loss']) {
        if (entry.has(quantity)) to.add(at(quantity), values[quantity], entry.get(quantity).number());
      }
      for (const quantity of ['margins', 'adv_logits', 'clean_logits', 'point_margins']) {
        if (entry.has(quantity)) to.add(at(quantity), values[quantity], entry.get(quantity).tensor());
      }
      for (const quantity of ['box_lower', 'box_upper']) {
        if (!entry.has(quantity)) continue;
        to.add(at(quantity), values[quantity], net.activation('input', entry.get(quantity).tensor()));
      }
      for (const quantity of ['hidden_lower', 'hidden_upper']) {
        if (entry.has(quantity)) to.add(at(quantity), values[quantity], hidden(entry, quantity, net));
      }
      compareGradients(to, at('grad'), net, values, 'grad', entry.get('grad'));
    }
    await comparePgd(file, net, images, to, run);
  },
};

/** What an objective saw when it chose. */
interface Seen {
  values: Outputs;
}

/** An optimizer whose new parameters are the gradients. */
const reveal: Optimizer = {
  name: 'reveal',
  init: () => ({}),
  hyper: () => ({}),
  update: (_params, grads, state) => ({ params: grads, state }),
};

/** The objective of a case, with what its attack would choose taken from the noise. */
function objectiveOf(entry: Field, net: Net, seen: Seen): BoundedObjective {
  const name = entry.get('name').text();
  const whole = ({ perturbation, images, hyper }: ChoiceContext) =>
    perturbationBox(perturbation, images, hyper.epsilon!);
  const see = (context: ChoiceContext, extra: Outputs = {}, box = whole(context)) => {
    const margins = context.bound(box).output.lower;
    seen.values = { margins, ibp_loss: robustLoss(margins), ...extra };
  };
  const adversarial = (context: ChoiceContext) => {
    const logits = context.forward(context.noise);
    see(context, { adv_logits: logits, adv_loss: crossEntropy(logits, context.labels) });
    return { adversarial: context.noise };
  };
  const number = (key: string, otherwise: number) => (entry.has(key) ? entry.get(key).number() : otherwise);
  const alpha = number('alpha', 1);
  const share = 1 - number('kappa', 1);
  const options = { alpha, naturalShare: [share, share] } as const;
  switch (name) {
    case 'ibp':
      return {
        ...robustObjective(),
        choose(context) {
          see(context, { clean_logits: context.forward(context.images) });
          return {};
        },
      };
    case 'sabr': {
      const shrinkage = entry.get('lambda').number();
      return {
        ...sabrObjective({ shrinkage, reluShrinkage: number('relu_shrinkage', 1) }),
        choose(context) {
          const box = smallBox(context, context.noise, shrinkage);
          see(context, { box_lower: box.lower, box_upper: box.upper }, box);
          return { box };
        },
      };
    }
    case 'mtl-ibp':
    case 'combined':
      return { ...mtlIbpObjective(options), choose: adversarial };
    case 'cc-ibp':
      return { ...ccIbpObjective(options), choose: adversarial };
    case 'exp-ibp':
      return { ...expIbpObjective(options), choose: adversarial };
    case 'taps': {
      const cut = cutOf(entry, net);
      return {
        ...tapsObjective({ cut, gradScale: entry.get('grad_scale').number(), slack: entry.get('slack').number() }),
        choose(context) {
          const { noise, spec, forward } = context;
          const box = context.bound(whole(context)).at[nodeAt(net, cut)]!;
          const [batch = 0, rows = 0, ...shape] = noise.shape;
          const logits = tf.reshape(forward(tf.reshape(noise, [batch * rows, ...shape]), nodeAt(net, cut)), [
            batch,
            rows,
            -1,
          ]);
          const margins = tf.sum(tf.mul(spec.matrix, logits), 2);
          const found = { point_margins: margins, taps_loss: robustLoss(margins) };
          see(context, { ...found, hidden_lower: box.lower, hidden_upper: box.upper });
          return { adversarial: noise };
        },
      };
    }
    default:
      throw entry.get('name').wrong(`is "${name}"; ibp, sabr, mtl-ibp, cc-ibp, exp-ibp, combined and taps are known`);
  }
}

/** For 1, 2, ... steps from the given start: the point of largest loss among all that were visited, and its loss, image by image. */
async function comparePgd(
  file: Field,
  net: Net,
  images: Numbers,
  to: Comparison,
  run: (
    objective: BoundedObjective,
    seen: Seen,
    given: Numbers,
  ) => Promise<{ readonly [name: string]: ArrayLike<number> }>,
): Promise<void> {
  if (!file.has('pgd')) return;
  const pgd = file.get('pgd');
  const place = (field: Field) => net.activation('input', field.tensor());
  const [lower, upper] = ['x_lower', 'x_upper'].map((end) => place(file.get(end)));
  const start = place(pgd.get('start'));
  const visited = [start, ...pgd.get('points').list().map(place)];
  const losses = pgd
    .get('losses')
    .list()
    .map((row) => row.numbers());
  const noise = {
    shape: [images.shape[0]!, 1, ...images.shape.slice(1)],
    data: start.data.map((value, i) => (2 * (value - images.data[i]!)) / (upper!.data[i]! - lower!.data[i]!)),
  };
  const size = images.data.length / images.shape[0]!;
  for (let steps = 1; steps < visited.length; steps++) {
    const seen: Seen = { values: {} };
    const options = { steps, stepSize: pgd.get('step').number(), restarts: 1 };
    const objective: BoundedObjective = {
      ...robustObjective(),
      choose(context) {
        const points = attack(context, options);
        seen.values = { points, losses: crossEntropies(context.forward(points), context.labels) };
        return {};
      },
    };
    const values = await run(objective, seen, noise);
    const best = losses[0]!.map((_, image) => {
      const own = losses.slice(0, steps + 1).map((row) => row[image]!);
      return own.indexOf(Math.max(...own));
    });
    const at = (quantity: string) => `pgd, ${steps} steps, ${quantity}`;
    to.add(at('losses'), values.losses, { shape: [best.length], data: best.map((step, i) => losses[step]![i]!) });
    const data = best.flatMap((step, i) => visited[step]!.data.slice(i * size, (i + 1) * size));
    to.add(at('points'), values.points, { shape: images.shape, data });
  }
}

/** The ReLU that a hidden box lies behind, counted from 1. */
function cutOf(entry: Field, net: Net): number {
  const before = net.model.nodes.findIndex(({ name }) => name.endsWith(`_${entry.get('cut_before').text()}`));
  if (before < 1) throw entry.get('cut_before').wrong('is not a layer of the net');
  return net.model.nodes.slice(0, before).filter(({ op }) => op === 'relu').length;
}

const nodeAt = (net: Net, cut: number): string => net.model.nodes.filter(({ op }) => op === 'relu')[cut - 1]!.name;

/** Values at the cut, [batch, ...] or [batch, classes - 1, ...], flattened or not, in our layout. */
function hidden(entry: Field, key: string, net: Net): Numbers {
  const { shape, data } = entry.get(key).tensor();
  const node = nodeAt(net, cutOf(entry, net));
  const own = net.model.nodes.find(({ name }) => name === node)!.shape;
  const lead = key === 'points' ? shape.slice(0, 2) : shape.slice(0, 1);
  const count = lead.reduce((a, b) => a * b, 1);
  const [h, w, c] = own;
  const placed = net.activation(node, { shape: c === undefined ? [count, h!] : [count, c, h!, w!], data });
  return { shape: [...lead, ...own], data: placed.data };
}

/** `net` of the file as a chain of layers, which the other kinds have. */
function chainOf(file: Field): Field {
  const net = file.get('net');
  const params = net.get('params');
  const momentum = 0.1;
  const layers = net
    .get('layers')
    .list()
    .map((layer) => {
      const name = layer.text();
      const kind = name.replace(/\d+$/, '');
      if (kind === 'relu' || kind === 'flatten') return { name, type: kind };
      const [weight, bias] = ['weight', 'bias'].map((key) => params.get(`${name}.${key}`).value);
      if (kind === 'dense') return { name, type: 'linear', weight, bias };
      if (kind === 'conv') {
        const stride = net.get('strides').get(name).number();
        return { name, type: 'conv2d', weight, bias, stride, padding: net.get('padding').number(), groups: 1 };
      }
      const { shape } = params.get(`${name}.weight`).tensor();
      const filled = (value: number) => ({ shape, data: Array.from({ length: shape[0]! }, () => value) });
      const stats = { running_mean: filled(0), running_var: filled(1) };
      return { name, type: 'batchnorm2d', weight, bias, ...stats, eps: net.get('bn_eps').number(), momentum };
    });
  return new Field(layers, 'net');
}
