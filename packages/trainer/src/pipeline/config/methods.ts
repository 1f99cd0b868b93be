import type { RunConfig } from './run-config.js';

/** Plain certified training: default initialization, no regularizers. */
const plain = { objective: 'robust', init: 'xavier', regularizers: [], regWeight: 0, regSchedule: 'warmup' } as const;

/** The target radius from the first step on. */
const noRamp = { rampStart: 1, rampLength: 0 } as const;

/**
 * Training methods by name: the settings of each method; the preset sets all others. `natural` is the cross-entropy alone, `pgd`
 * adversarial training (Madry et al. 2018), `vanilla` IBP training (Gowal et al. 2018), `fast` the method of "Fast Certified Robust
 * Training with Short Warmup", `crown-ibp` CROWN-IBP training (Zhang et al. 2020) with loss fusion (Xu et al. 2020), `stability` IBP
 * training with ReLU stability and L1 (Xiao et al. 2019), `volume` with the volume regularizer (Balunovic and Vechev 2020). With the
 * initialization and the regularizers of `fast`: `sabr` and `taps`, `staps` (Mueller et al. 2023, Mao et al. 2023), `mtl-ibp`, `cc-ibp`,
 * `exp-ibp` (De Palma et al. 2024).
 */
export const METHODS: { readonly [name: string]: Partial<RunConfig> } = {
  /** The cross-entropy alone. Nothing is certified; the radius is the one that it is evaluated at. */
  natural: { ...plain, ...noRamp, objective: 'natural' },
  /** Adversarial training (Madry et al. 2018). */
  pgd: { ...plain, ...noRamp, objective: 'pgd' },
  /** IBP training (Gowal et al. 2018). */
  vanilla: plain,
  /** "Fast Certified Robust Training with Short Warmup": IBP initialization, two regularizers during the warmup. */
  fast: {},
  /** CROWN-IBP training (Zhang et al. 2020) with loss fusion (Xu et al. 2020); `crown-ibp` as the objective is without. */
  'crown-ibp': { ...plain, objective: 'crown-ibp-fused' },
  /** IBP training with ReLU stability and L1 of the kernels throughout, each with the weight 1e-5 (Xiao et al. 2019). */
  stability: { ...plain, regularizers: ['relu-stability', 'l1'], regWeight: 1e-5, regSchedule: 'constant' },
  /**
   * IBP training with the volume of the relaxed ReLUs throughout (Balunovic and Vechev 2020). No weight is published for this
   * combination. With 0.1 the term is large while bounds are wide (some 6 beside a robust loss of 22 in the first epoch on digits) and small
   * once they are not (0.003 beside 1).
   */
  volume: { ...plain, regularizers: ['volume'], regWeight: 0.1, regSchedule: 'constant' },
  /** Small adversarial bounding regions (Mueller et al. 2023). */
  sabr: { objective: 'sabr' },
  /** alpha times the robust loss of IBP, 1 - alpha times an adversarial loss (De Palma et al. 2024). */
  'mtl-ibp': { objective: 'mtl-ibp' },
  /** The loss of a convex combination of margins (De Palma et al. 2024). */
  'cc-ibp': { objective: 'cc-ibp' },
  /** A product of powers of both losses (De Palma et al. 2024). */
  'exp-ibp': { objective: 'exp-ibp' },
  /** Attacks behind propagated boxes (Mao et al. 2023). */
  taps: { objective: 'taps' },
  /** The same over small boxes (Mao et al. 2023). */
  staps: { objective: 'staps' },
};
