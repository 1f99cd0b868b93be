/** Which settings of the learning rate go together. */
import { CertError } from '@cert/core';
import type { RunConfig } from './run-config.js';

/**
 * Checks that the schedule of the learning rate reads the settings that are given for it.
 *
 * @param given names of the options chosen for this run; the others are defaults
 * @throws CertError `bad-argument` for milestones or their factor with a schedule other than `steps`, a warm-up with one other than `cosine`,
 * and a warm-up that fills the training
 */
export function checkRateSchedule(
  {
    rateSchedule,
    milestones,
    rateWarmup,
    epochs,
  }: Pick<RunConfig, 'rateSchedule' | 'milestones' | 'rateWarmup' | 'epochs'>,
  given: readonly string[] = [],
): void {
  const only = (option: string, owner: string) =>
    new CertError(
      'bad-argument',
      `${option} is for the learning rate schedule ${owner}, but this run has the schedule ${rateSchedule}.`,
      `Leave it out, or choose --rate-schedule ${owner}.`,
    );
  if (rateSchedule !== 'steps') {
    if (milestones.length > 0) throw only(`--milestones ${milestones}`, 'steps');
    if (given.includes('learningRateFactor')) throw only('--learning-rate-factor', 'steps');
  }
  if (rateWarmup > 0 && rateSchedule !== 'cosine') throw only(`--rate-warmup ${rateWarmup}`, 'cosine');
  if (rateWarmup >= epochs) {
    throw new CertError(
      'bad-argument',
      `--rate-warmup is ${rateWarmup}, but training has ${epochs === 1 ? 'one epoch' : `${epochs} epochs`}.`,
      'Lower --rate-warmup, or raise --epochs: the learning rate falls in the epochs after the warm-up.',
    );
  }
}
