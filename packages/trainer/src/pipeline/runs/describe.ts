import { radiusText } from '../config/radius.js';
import { exampleWords } from '../words.js';
import type { RunEvent } from './event.js';

/** Returns an event as a log line, with a second line for a warning; `undefined` for frequent events. */
export function describeEvent(event: RunEvent): string | undefined {
  switch (event.type) {
    case 'start': {
      const { config, device, trainImages, validationImages, testImages, inputShape, parameters, step } = event;
      const held = validationImages === undefined ? '' : ` + ${validationImages} (validation)`;
      const begun = config.warmStart === null ? '' : `, from the weights of ${config.warmStart}`;
      const from = step === 0 ? begun : `, resumed after step ${step}`;
      return `${config.preset} (${config.method}), seed ${config.seed}: ${config.model} with ${parameters} parameters, ${trainImages}${held} + ${testImages} ${exampleWords(config.dataset, inputShape).many} of ${config.dataset}, on ${device.description} (${device.reason})${from}${device.warning === undefined ? '' : `\nWarning: ${device.warning}`}`;
    }
    case 'epoch': {
      const { epoch, epsilon, learningRate, metrics, test, monitored, trainSeconds } = event;
      return [
        `epoch ${epoch}`,
        `epsilon ${radius(epsilon)}`,
        `rate ${number(learningRate)}`,
        `loss ${number(metrics.loss)}`,
        `${monitored} error ${errorText(test.standardError, test.absoluteError)}`,
        `verified error ${errorText(test.verifiedError, test.verifiedAbsoluteError)}`,
        duration(trainSeconds),
      ].join('  ');
    }
    case 'early-stop': {
      const { epoch, epochs, patience, best } = event;
      const since = `${patience} epoch${patience === 1 ? '' : 's'}`;
      return `Stopped early after epoch ${epoch} of ${epochs}: no better epoch on the validation images in ${since} (best: epoch ${best.epoch}, verified error ${percent(best.verifiedError)}).`;
    }
    case 'warning':
      return `Warning: ${event.message}`;
    case 'stopped':
      return `Stopped after step ${event.step}.`;
    case 'failed':
      return `Failed: ${event.message}`;
    case 'finished': {
      const { standardError, pgdError, verifiedError, absoluteError, verifiedAbsoluteError } = event.summary;
      if (absoluteError !== undefined) {
        return `mean absolute error ${errorText(standardError, absoluteError)}, verified absolute error ${errorText(verifiedError, verifiedAbsoluteError)}`;
      }
      const attacked = pgdError === null ? '' : `, PGD error ${percent(pgdError)}`;
      return `standard error ${percent(standardError)}${attacked}, verified error ${percent(verifiedError)}`;
    }
    case 'decoding':
      return event.images === 1 ? `Decoding ${event.of} images. Decoded images are cached for later runs.` : undefined;
    case 'step':
    case 'evaluating':
      return undefined;
    default:
      return event satisfies never;
  }
}

/** Formats a fraction as a percentage with two decimals. */
export const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`;

/** Formats an error: a share of the examples or, for a regression, the mean absolute error in the units of the label. */
export function errorText(fraction: number, absolute?: number | null, format = percent): string {
  if (absolute === undefined) return format(fraction);
  return absolute === null ? 'not finite' : number(absolute);
}

/** Formats a time as h:mm:ss. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

/** Formats a number with up to four significant digits. */
export const number = (value: number): string => String(Number(value.toPrecision(4)));

/** A radius on its way to 8/255, or there. */
const radius = (epsilon: number): string => {
  const text = radiusText(epsilon);
  return text.includes('/') ? text : number(epsilon);
};
