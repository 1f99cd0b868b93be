import { type Html, html } from '../html.js';

/** Makes a heading below the heading of a section, or below the name of a run. */
export type Subheading = (content: string | Html) => Html;

/** A part of a section for each run, under its name where there are several; `sub` makes headings within it. */
export const perRun = <Run extends { readonly name: string }>(
  runs: readonly Run[],
  part: (run: Run, sub: Subheading) => Html,
): readonly Html[] => {
  const several = runs.length > 1;
  const sub: Subheading = (content) => (several ? html`<h4>${content}</h4>` : html`<h3>${content}</h3>`);
  return runs.map((run) => html`${several ? html`<h3 class="run">${run.name}</h3>` : null}${part(run, sub)}`);
};
