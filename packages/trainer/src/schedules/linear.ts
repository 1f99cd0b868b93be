import { type RampOptions, rampSteps, type Schedule } from './schedule.js';

/**
 * A straight ramp: 0 up to the first step of epoch `start`, `target` at the end of the ramp and after it.
 *
 * @throws CertError `bad-argument` for a ramp that is not one (start < 1, length < 0, NaN)
 */
export function linearSchedule(options: RampOptions): Schedule {
  const { first, last } = rampSteps(options);
  return (step) => {
    if (step >= last) return options.target;
    return step <= first ? 0 : options.target * ((step - first) / (last - first));
  };
}
