import type { Arithmetic } from '@cert/bounds';
import type { ExampleWords } from '@cert/trainer/pipeline';
import type { Proportion } from '@cert/verify';
import { radiusInFull } from '../show/quantities.js';
import { type FoundEvaluation, proportion } from './evaluations.js';
import { judgementOf } from './judgement.js';
import type { RunSummary } from './read-summary.js';
import { count, counted, notBelow } from './text.js';

/** How many inputs ended how. Plain data. */
interface Outcomes {
  readonly images: number;
  /** Proved to be classified correctly, or within the tolerance, over the whole ball. */
  readonly verified: number;
  /** Neither proved nor broken; null where no attack tells. */
  readonly undecided: number | null;
  /** Right without perturbation, but an adversarial example is known; null where no attack tells. */
  readonly broken: number | null;
  /** Misclassified, or outside the tolerance, without perturbation. */
  readonly misclassified: number;
}

/** What is proved about a run. Plain data. */
export interface Verdict {
  /** What it follows from. */
  readonly source: 'evaluation' | 'summary';
  readonly sentences: readonly string[];
  readonly outcomes: Outcomes;
  readonly verified: Proportion;
  readonly epsilon: number;
  readonly arithmetic: Arithmetic;
  readonly methods: readonly string[];
}

/** What a claim at a level of arithmetic is about. */
const CLAIMS: { readonly [arithmetic in Arithmetic]: string } = {
  deployed: 'for every float32 execution of the network that rounds to nearest (arithmetic level "deployed")',
  real: 'for the network over the real numbers (arithmetic level "real")',
  nearest: 'without a claim about rounding errors (arithmetic level "nearest")',
};

/** What a verdict needs to know of the data. */
export interface VerdictData {
  readonly dataset: string;
  readonly words: ExampleWords;
  /** Of all values; null for none, undefined where it is not known. */
  readonly range: { readonly min: number; readonly max: number } | null | undefined;
  /** Test inputs that the dataset has; null where it was not read. */
  readonly available: number | null;
  /** How the radius applies: to each part of an input, times a scale for each part, or as the set of the run says. */
  readonly reach: 'each' | 'scaled' | 'set';
  /** For a regression: what is predicted, its tolerance, and a sentence on absolute errors, which may be empty. Null for a classifier. */
  readonly regression: { readonly target: string; readonly delta: number | null; readonly absolute: string } | null;
}

/** The verdict of an evaluation. */
export function evaluationVerdict(evaluation: FoundEvaluation, data: VerdictData): Verdict {
  const { counts, settings, arithmetic, verified } = evaluation;
  const { images, undecided } = counts;
  const misclassified = counts.standardError.count;
  const outcomes = {
    ...{ images, verified: verified.count, undecided, misclassified },
    broken: images - verified.count - undecided - misclassified,
  };
  return verdict(
    { source: 'evaluation', outcomes, arithmetic, epsilon: settings.epsilon, methods: settings.methods },
    data,
    {
      attacked: settings.attack !== null,
    },
  );
}

/** The verdict of the evaluation at the end of training, which rounds to nearest. */
export function summaryVerdict(summary: RunSummary, data: VerdictData): Verdict {
  const { images, standardError, pgdError, verifiedError, epsilon, bound } = summary;
  const [misclassified, unverified] = [standardError, verifiedError].map((fraction) => Math.round(fraction * images));
  const attacked = pgdError === null ? null : Math.round(pgdError * images);
  const outcomes = {
    ...{ images, verified: images - unverified!, misclassified: misclassified! },
    undecided: attacked === null ? null : unverified! - attacked,
    broken: attacked === null ? null : attacked - misclassified!,
  };
  return verdict({ source: 'summary', outcomes, arithmetic: 'nearest', epsilon, methods: [bound] }, data, {
    attacked: attacked !== null,
  });
}

function verdict(
  known: Omit<Verdict, 'sentences' | 'verified'>,
  data: VerdictData,
  { attacked }: { readonly attacked: boolean },
): Verdict {
  const verified = proportion(known.outcomes.verified, known.outcomes.images);
  return { ...known, verified, sentences: sentencesOf({ ...known, verified }, data, attacked) };
}

function sentencesOf(
  { outcomes, epsilon, arithmetic, verified }: Omit<Verdict, 'sentences'>,
  { dataset, words, range, available, reach, regression }: VerdictData,
  attacked: boolean,
): readonly string[] {
  const { images, undecided, broken, misclassified } = outcomes;
  const share = (n: number) => `${((100 * n) / images).toFixed(2)} %`;
  const [lower, upper] = verified.interval.map((end) => `${(100 * end).toFixed(2)} %`);
  const part = available !== null && images < available;
  const which = part ? `the first ${count(images)} of the ${count(available)}` : `the ${count(images)}`;
  const values = range ? ` on a scale from ${range.min} to ${range.max}` : '';
  // A bound that may be off by its own rounding proves nothing strictly.
  const [none, shown] = arithmetic === 'nearest' ? ['do bounds show', 'bounds show'] : ['is it proved', 'it is proved'];
  const first =
    verified.count === 0
      ? `For none of ${which} test ${words.many} of ${dataset} ${none}`
      : `For ${share(verified.count)} of ${which} test ${words.many} of ${dataset} (${count(verified.count)} ${words.many}) ${shown}`;
  const changes = {
    each: `that changes each ${words.value} by at most ${radiusInFull(epsilon)}${values}`,
    scaled: `that changes each ${words.value} by at most ${radiusInFull(epsilon)} times its scale in the dataset`,
    set: `in the perturbation set of the configuration at epsilon ${radiusInFull(epsilon)}`,
  }[reach];
  const { right, wrong } = judgementOf({ regression });
  const holds =
    regression === null
      ? `the network classifies the ${words.one} correctly`
      : `the prediction of "${regression.target}" is ${right}`;
  const claim = `that ${holds} after every perturbation ${changes}, ${CLAIMS[arithmetic]}.${regression?.absolute ? ` ${regression.absolute}` : ''}`;
  const interval = `With 95 % confidence, this fraction is between ${lower} and ${upper} for ${words.many} drawn like these (exact Clopper-Pearson interval).`;
  const are = (n: number) => (n === 1 ? 'is' : 'are');
  const some =
    misclassified === 0
      ? `No ${words.one}`
      : `${counted(misclassified, words.one, words.many)} (${share(misclassified)})`;
  const unperturbed = `${some} ${misclassified === 0 ? 'is' : are(misclassified)} ${wrong} without any perturbation`;
  if (undecided === null || broken === null) {
    const rest = images - verified.count - misclassified;
    return [
      ...[`${first} ${claim}`, interval, `${capital(unperturbed)}.`],
      `The other ${counted(rest, words.one, words.many)} (${share(rest)}) were not proved, and no attack was run on them.`,
    ];
  }
  const open =
    undecided === 0
      ? `No ${words.one} is undecided.`
      : `${capital(counted(undecided, words.one, words.many))} (${share(undecided)}) ${are(undecided)} undecided: neither a proof nor an adversarial example was found.`;
  const attack =
    broken === 0
      ? attacked
        ? 'No adversarial example is known.'
        : 'No attack was run.'
      : `${count(broken)} more (${share(broken)}) ${are(broken)} broken: an adversarial example within this radius is known.`;
  return [
    `${first} ${claim}`,
    interval,
    open,
    `${capital(unperturbed)}; ${attack[0]!.toLowerCase()}${attack.slice(1)}`,
  ];
}

const capital = (text: string) => `${text[0]!.toUpperCase()}${text.slice(1)}`;

/** What a report says of a run without a verdict. */
export function noVerdict({ regression }: { readonly regression: { readonly delta: number | null } | null }): string {
  if (regression === null || regression.delta === null) return 'Nothing is proved about this run yet.';
  return `No evaluation of this run at the tolerance ${notBelow(regression.delta)} is known.`;
}
