import { describe, expect, it } from 'vitest';
import { naturalObjective } from './natural.js';
import { robustObjective } from './robust.js';
import { always, crownIbpSchedule, naturalThen } from './schedule.js';

describe('objective schedules', () => {
  const robust = robustObjective();

  it('certified training is natural until the radius grows', () => {
    expect([0, 1e-9, 0.5, 1].map(naturalThen(robust))).toEqual([naturalObjective, robust, robust, robust]);
  });

  it('one objective throughout', () => {
    expect([0, 1].map(always(robust))).toEqual([robust, robust]);
  });

  it('CROWN-IBP ends as IBP alone, and gives the same value for the same choice', () => {
    const names = (fusion: boolean) =>
      [0, 1e-6, 0.99998, 0.999991, 1].map((ramp) => crownIbpSchedule({ fusion })(ramp).name);
    expect(names(true)).toEqual(['natural', 'crown-ibp-fused', 'crown-ibp-fused', 'robust', 'robust']);
    expect(names(false)).toEqual(['natural', 'crown-ibp', 'crown-ibp', 'robust', 'robust']);
    const schedule = crownIbpSchedule();
    expect(schedule(0.2)).toBe(schedule(0.7));
    expect(schedule(1)).toBe(schedule(0.999999));
  });
});
