import type { RunEvent } from '@cert/trainer/pipeline';

/** Steps whose mean duration counts: costs change when epsilon grows and regularizers end. */
const WINDOW = 50;

/** How long an evaluation takes, relative to training steps on as many images: it has no backward pass. */
const EVALUATION = 1 / 3;

/** Estimates how long a run still takes, from its events. */
export interface TimeLeft {
  /** Takes an event in. */
  see(event: RunEvent): void;
  /** Seconds until the run ends, evaluations included; undefined before the second step. */
  left(): number | undefined;
  /** Training images in a second; undefined before the second step. */
  speed(): number | undefined;
}

/**
 * @param now a clock, in seconds
 */
export function timeLeft(now: () => number): TimeLeft {
  let plan = { epochs: 0, stepsPerEpoch: 1, testImages: 0, attackSteps: 0 };
  let last = now();
  let [step, epoch, images] = [0, 0, 1];
  // Undefined until the first step, which compiles and does not count.
  let durations: number[] | undefined;
  let evaluation: number | undefined;

  /** The mean without the longest one: a function may have been compiled meanwhile. */
  const perStep = () => {
    if (durations === undefined || durations.length === 0) return undefined;
    const sum = durations.reduce((a, b) => a + b, 0);
    return durations.length < 3 ? sum / durations.length : (sum - Math.max(...durations)) / (durations.length - 1);
  };

  return {
    see(event) {
      const passed = now() - last;
      switch (event.type) {
        case 'start': {
          const { epochs, stepsPerEpoch, testImages, config } = event;
          plan = { epochs, stepsPerEpoch, testImages, attackSteps: config.attackRestarts * config.attackSteps };
          step = event.step;
          epoch = Math.floor(step / stepsPerEpoch);
          break;
        }
        case 'step':
          if (durations === undefined) durations = [];
          else durations.push(passed);
          if (durations.length > WINDOW) durations.shift();
          step = event.step;
          // The last batch of an epoch may be smaller.
          images = Math.max(images, event.images);
          break;
        case 'epoch':
          epoch = event.epoch;
          evaluation = passed;
          break;
        default:
          return;
      }
      last = now();
    },
    left() {
      const each = perStep();
      if (each === undefined) return undefined;
      const steps = Math.max(0, plan.epochs * plan.stepsPerEpoch - step);
      const expected = (each / images) * plan.testImages * EVALUATION;
      const once = evaluation ?? expected;
      // A step of the attack is a forward and a backward pass, about as much as bounds without gradients. The first evaluation was compiled, too.
      const attack = plan.attackSteps * Math.min(once, expected);
      const rest = steps * each + (plan.epochs - epoch + 1) * once + attack;
      return Math.max(0, rest - (now() - last));
    },
    speed() {
      const each = perStep();
      return each === undefined ? undefined : images / each;
    },
  };
}
