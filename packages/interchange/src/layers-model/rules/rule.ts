import type { Step } from '../step.js';
import type { Value } from '../value.js';

/** How a class of layers becomes nodes of the model. */
export type Rule = (step: Step) => Value;

/** Rules by the name of the class. */
export type Rules = { readonly [className: string]: Rule };
