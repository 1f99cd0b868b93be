import { linearSchedule, regularizedEpochs, type Schedule, smoothedSchedule } from '@cert/trainer';
import { EXACT } from '../compare.js';
import type { Field } from '../field.js';
import type { Kind } from '../kind.js';

/** A radius for every batch: `schedules`. */
export const schedules: Kind = {
  on: 'host',
  async compare({ file }, to) {
    for (const [i, entry] of file.get('cases').list().entries()) {
      const name = `[${i}] ${entry.get('scheduler').text()}`;
      const stepsPerEpoch = entry.get('epoch_length').number();
      const epochs = entry.get('epochs').number();
      const schedule = readSchedule(entry, entry.get('opts'), stepsPerEpoch);
      for (const [epoch, wanted] of entry.get('eps_train').list().entries()) {
        const got = wanted.list().map((_, batch) => schedule(epoch * stepsPerEpoch + batch));
        const values = wanted.numbers();
        to.add(`${name} eps_train`, got, { shape: [values.length], data: values }, EXACT, `epoch ${epoch + 1}`);
      }
      if (entry.has('num_reg_epochs')) {
        const [start, length] = ['start', 'length'].map((option) => entry.get('opts').get(option).number());
        const wanted = { shape: [], data: [entry.get('num_reg_epochs').number()] };
        to.add(`${name} num_reg_epochs`, [regularizedEpochs({ start: start!, length: length! })], wanted, EXACT);
      }
      const last = Array.from({ length: epochs }, (_, epoch) => schedule((epoch + 1) * stepsPerEpoch - 1));
      to.add(`${name} eps_eval`, last, { shape: [epochs], data: entry.get('eps_eval').numbers() }, EXACT);
    }
  },
};

/** The schedule that a file describes: `scheduler`, `max_eps` and the scheduler's own options. */
export function readSchedule(entry: Field, opts: Field, stepsPerEpoch: number): Schedule {
  const option = (name: string) => (opts.has(name) ? { [name]: opts.get(name).number() } : {});
  const ramp = {
    start: opts.get('start').number(),
    length: opts.get('length').number(),
    target: entry.get('max_eps').number(),
    stepsPerEpoch,
  };
  const scheduler = entry.get('scheduler');
  if (scheduler.text() === 'SmoothedScheduler')
    return smoothedSchedule({ ...ramp, ...option('mid'), ...option('beta') });
  if (scheduler.text() === 'LinearScheduler') return linearSchedule(ramp);
  throw scheduler.wrong(`is "${scheduler.text()}"; SmoothedScheduler and LinearScheduler are known`);
}
