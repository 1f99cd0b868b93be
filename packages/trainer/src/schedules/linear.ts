import { type RampOptions, rampSteps, type Schedule } from './schedule.js';

/**
 * Returns a linear ramp: 0 up to the first step of epoch `start`, `target` from the end of the ramp on.
 *
 * @throws CertError `bad-argument` for an invalid ramp (start < 1, length < 0, NaN)
 */
export function linearSchedule(options: RampOptions): Schedule {
  const { first, last } = rampSteps(options);
  return (step) => {
    if (step >= last) return options.target;
    return step <= first ? 0 : options.target * ((step - first) / (last - first));
  };
}
