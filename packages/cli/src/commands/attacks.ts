import { CertError } from '@cert/core';
import { type Choices, canonicalName, choose, optionName, type RunConfig } from '@cert/trainer/pipeline';
import { type Attack, autoAttack } from '@cert/verify';
import type { EvaluationSettings } from '@cert/verify/node';

/** Settings that an evaluation does not take from the run: it looks harder than training does. */
export const ATTACK = { attackSteps: 200, attackRestarts: 10 } as const;

/** What is run, and how the first line of the file names it. */
type Attacks = Pick<EvaluationSettings, 'attack'> & { readonly attacks?: readonly Attack[] };

/** Attacks by the names of `--attack`. */
export const ATTACKS: {
  readonly [name: string]: { readonly about: string; readonly of: (config: RunConfig) => Attacks };
} = {
  pgd: {
    about: 'projected gradient descent',
    of: ({ attackSteps: steps, attackRestarts: restarts, seed }) => ({
      attack: restarts === 0 ? null : { steps, restarts, seed },
    }),
  },
  autoattack: {
    about: 'APGD-CE, APGD-T, FAB-T and Square with standard settings; stronger and slower',
    of({ seed }) {
      const attacks = autoAttack({ seed });
      return { attacks, attack: { name: 'autoattack', attacks: attacks.map(({ name }) => name), seed } };
    },
  },
};

/** @returns its name in {@link ATTACKS} @throws CertError `bad-argument` for an unknown attack, and for settings of PGD with another one */
export function readAttack(text = 'pgd', given: Choices): string {
  const name = canonicalName(text, Object.keys(ATTACKS));
  choose('attack', name, ATTACKS);
  const ofPgd = (['attackSteps', 'attackRestarts'] as const).filter((field) => given[field] !== undefined);
  if (name !== 'pgd' && ofPgd.length > 0) {
    throw new CertError(
      'bad-argument',
      `${ofPgd.map((field) => optionName(field)).join(' and ')} was given with --attack ${name}.`,
      `Leave the option out: only --attack pgd has it, and ${name} has fixed settings.`,
    );
  }
  return name;
}
