import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CertError } from '@cert/core';
import type { RunEvent, RunNumbers } from '@cert/trainer/pipeline';
import { encodeEvent, type LoggedEvent } from './event-file.js';

/** Steps from one point of a curve to the next. */
const EVERY = 10;

/**
 * Writes the numbers of a run to `tensorboard` in its folder, as event files of TensorBoard: those of training steps under `train` and
 * `schedule`, means over epochs under `epoch`, errors of the test inputs under `test` (of validation inputs under `validation`), shares of neurons under `neurons`, and the errors at
 * the end under `result`. A run that is resumed gets one more file, which takes the place of what earlier files say of later steps.
 *
 * @returns takes the events of the run
 * @throws CertError `bad-file`, from the function that it returns, when a file cannot be written
 */
export function tensorboardEvents(now: () => number = Date.now): (event: RunEvent) => void {
  let file: string | undefined;
  let last = 0;
  const write = (...events: readonly Pick<LoggedEvent, 'step' | 'what'>[]) => {
    if (file === undefined) return;
    const time = now() / 1000;
    const records = events.map((event) => encodeEvent({ time, ...event }));
    attempt(file, (path) => appendFileSync(path, Buffer.concat(records)));
  };
  const scalars = (step: number, values: { readonly [tag: string]: number | null | undefined }) => {
    const known = Object.entries(values).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
    write({ step, what: { type: 'scalars', scalars: new Map(known) } });
  };
  return (event) => {
    switch (event.type) {
      case 'start': {
        const folder = join(event.folder, 'tensorboard');
        attempt(folder, (path) => mkdirSync(path, { recursive: true }));
        // Readers take the files of a folder in the order of their names.
        file = join(folder, `events.out.tfevents.${Math.floor(now() / 1000)}.cert-${event.step}`);
        write(
          { step: 0, what: { type: 'version' } },
          ...(event.step === 0 ? [] : [{ step: event.step + 1, what: { type: 'session-start' as const } }]),
        );
        last = event.step;
        return;
      }
      case 'step':
        last = event.step;
        if (event.step % EVERY === 0) scalars(event.step, { ...under('train', event), ...scheduleOf(event) });
        return;
      case 'epoch': {
        const { step, test, monitored, relu, trainSeconds } = event;
        const neurons = Object.entries(relu?.layers ?? {}).flatMap(([layer, shares]) =>
          Object.entries(shares).map(([state, share]) => [`neurons/${layer}/${state}`, share]),
        );
        scalars(step, {
          ...{ ...under('epoch', event), 'epoch/trainSeconds': trainSeconds },
          ...{ [`${monitored}/error`]: test.standardError, [`${monitored}/verifiedError`]: test.verifiedError },
          ...{
            [`${monitored}/absoluteError`]: test.absoluteError,
            [`${monitored}/verifiedAbsoluteError`]: test.verifiedAbsoluteError,
          },
          ...Object.fromEntries(neurons),
        });
        return;
      }
      case 'finished': {
        const { standardError, pgdError, verifiedError, absoluteError, verifiedAbsoluteError } = event.summary;
        scalars(last, {
          'result/standardError': standardError,
          'result/pgdError': pgdError,
          'result/verifiedError': verifiedError,
          'result/absoluteError': absoluteError,
          'result/verifiedAbsoluteError': verifiedAbsoluteError,
        });
        return;
      }
      case 'early-stop':
      case 'decoding':
      case 'evaluating':
      case 'warning':
      case 'stopped':
      case 'failed':
        return;
      default:
        event satisfies never;
    }
  };
}

const under = (group: string, { metrics }: RunNumbers) =>
  Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`${group}/${name}`, Number(value)]));

const scheduleOf = ({ epsilon, learningRate, epoch }: RunNumbers) => ({
  'schedule/epsilon': epsilon,
  'schedule/learningRate': learningRate,
  'schedule/epoch': epoch,
});

function attempt(path: string, write: (path: string) => void): void {
  try {
    write(path);
  } catch (cause) {
    throw new CertError(
      'bad-file',
      `${path} cannot be written: ${cause instanceof Error ? cause.message : cause}.`,
      'Free the path, or leave out --tensorboard.',
      { cause },
    );
  }
}
