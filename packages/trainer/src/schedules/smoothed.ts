import { badRamp, type RampOptions, rampSteps, type Schedule } from './schedule.js';

/** A ramp that starts as a power of the step and continues as its tangent line. */
export interface SmoothedRampOptions extends RampOptions {
  /** The fraction of the ramp at which the power ends; default 0.25. */
  readonly mid?: number;
  /** The exponent; default 4. */
  readonly beta?: number;
}

/**
 * Returns the smoothed ramp of the radius for certified training: 0 up to and including the first step of epoch `start`, then a * (s -
 * s0)^beta up to the fraction `mid` of the ramp, then a straight line with the same slope to `target`.
 *
 * With q steps in the power part and l in the line, equal slopes and the end value require
 * a * q^beta + l * a * beta * q^(beta - 1) = target, which gives a.
 *
 * @throws CertError `bad-argument` for an invalid ramp (start < 1, length < 0, NaN)
 */
export function smoothedSchedule(options: SmoothedRampOptions): Schedule {
  const { target, mid = 0.25, beta = 4 } = options;
  const { first, last } = rampSteps(options);
  if (!(mid >= 0 && mid <= 1)) throw badRamp('mid', mid, 'a fraction in [0, 1]');
  if (!(beta >= 1)) throw badRamp('beta', beta, 'an exponent >= 1');
  const power = Math.trunc(mid * (last - first));
  const line = last - first - power;
  const middle = first + power;
  const scale = power === 0 ? 0 : target / (power ** beta + line * beta * power ** (beta - 1));
  const middleValue = scale * power ** beta;
  return (step) => {
    if (step <= first) return last > first || step < first ? 0 : target;
    if (step >= last) return target;
    if (step < middle) return scale * (step - first) ** beta;
    return middleValue + (target - middleValue) * ((step - middle) / line);
  };
}
