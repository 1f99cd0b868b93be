import { cosineSchedule, oneCycleSchedule, type Schedule } from '@cert/trainer';
import { EXACT } from '../compare.js';
import type { Field } from '../field.js';
import type { Kind } from '../kind.js';

/** A learning rate for every step: `learning_rates`. */
export const learningRates: Kind = {
  on: 'host',
  async compare({ file }, to) {
    for (const [i, entry] of file.get('cases').list().entries()) {
      const rate = readSchedule(entry);
      const wanted = entry.get('rates').numbers();
      const got = wanted.map((_, step) => rate(step));
      to.add(`[${i}] ${entry.get('schedule').text()}`, got, { shape: [wanted.length], data: wanted }, EXACT);
    }
  },
};

function readSchedule(entry: Field): Schedule {
  const options = entry.get('options');
  const training = {
    base: options.get('base').number(),
    epochs: options.get('epochs').number(),
    stepsPerEpoch: options.get('stepsPerEpoch').number(),
  };
  const name = entry.get('schedule');
  if (name.text() === 'one-cycle') return oneCycleSchedule(training);
  if (name.text() === 'cosine') return cosineSchedule({ ...training, warmup: options.get('warmup').number() });
  throw name.wrong(`is "${name.text()}"; cosine and one-cycle are known`);
}
