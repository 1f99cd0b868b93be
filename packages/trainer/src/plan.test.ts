import { describe, expect, it } from 'vitest';
import { robustObjective } from './objectives/robust.js';
import { always } from './objectives/schedule.js';
import { adam } from './optimizers/adam.js';
import { fallingWeight, type Plan, planStep } from './plan.js';
import { constantSchedule } from './schedules/schedule.js';

const plan: Plan = {
  objective: always(robustObjective()),
  epsilon: constantSchedule(0.1),
  targetEpsilon: 0.1,
  learningRate: constantSchedule(0.01),
  regWeight: fallingWeight(0.5),
  regularizedSteps: 0,
};

describe('planStep', () => {
  it.each<[string, Partial<Plan>, string]>([
    ['radius that is NaN', { epsilon: constantSchedule(Number.NaN) }, 'step 7 the radius NaN'],
    ['negative radius', { epsilon: constantSchedule(-0.1) }, 'step 7 the radius -0.1'],
    ['learning rate that is NaN', { learningRate: constantSchedule(Number.NaN) }, 'step 7 the learning rate NaN'],
    ['infinite learning rate', { learningRate: (step) => 1 / (7 - step) }, 'step 7 the learning rate Infinity'],
  ])('refuses a %s, naming the step', (_, changes, problem) => {
    expect(() => planStep({ ...plan, ...changes }, adam(), 7)).toThrow(
      expect.objectContaining({ code: 'bad-argument', problem: expect.stringContaining(problem) }),
    );
  });
});
