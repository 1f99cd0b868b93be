import { duration } from '@cert/trainer/pipeline';
import { radius } from '../../show/quantities.js';
import { type Html, html } from '../html.js';
import type { ReportData } from '../report-data.js';
import type { ReportRun } from '../report-run.js';
import { count } from '../text.js';
import { perRun, type Subheading } from './headings.js';

/** Configuration, versions, hashes and commands. */
export const provenanceSection = ({
  runs,
  settings,
}: ReportData): Html => html`<section id="provenance" aria-labelledby="provenance-title">
<h2 id="provenance-title">Provenance</h2>
${runs.length > 1 ? differing(runs, settings) : null}
${perRun(runs, provenanceOf)}
</section>`;

function differing(runs: readonly ReportRun[], settings: ReportData['settings']): Html {
  const names = Object.entries(settings);
  if (names.length === 0) return html`<p>The runs have identical settings.</p>`;
  return html`<p class="about">Settings that differ.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Settings that differ"><table>
<thead><tr><th scope="col">setting</th>${runs.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${names.map(([name, values]) => html`<tr><th scope="row">${name}</th>${values.map((value) => html`<td>${valueText(name, value)}</td>`)}</tr>`)}</tbody></table></div>`;
}

function valueText(name: string, value: unknown): string {
  if (value === null || value === undefined) return 'not set';
  if (name === 'epsilon' && typeof value === 'number') return radius(value);
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map((each) => valueText('', each)).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function provenanceOf(
  { provenance, config, trainSeconds, parameters, inputShape, classes, checkpoint }: ReportRun,
  sub: Subheading,
): Html {
  const { hashes, versions, commands } = provenance;
  const facts = [
    [
      'network',
      `${config.model}, input [${inputShape.join(', ')}], ${classes === 1 ? '1 output' : `${classes} classes`}${parameters === null ? '' : `, ${count(parameters)} parameters`}`,
    ],
    ['checkpoint', checkpoint],
    ...(trainSeconds === null ? [] : [['training time', duration(trainSeconds)]]),
    ...versions.map(({ name, value }) => [name, value]),
  ];
  return html`<dl class="pairs">${facts.map(([name = '', value = '']) => html`<div class="pair"><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${sub('Commands that give these numbers again')}
${commands.map(({ about, command }) => html`<p>${about}</p><pre tabindex="0"><code>${command}</code></pre>`)}
${sub('SHA-256')}
<dl class="pairs hashes">${hashes.map(({ name, sha256 }) => html`<div class="pair"><dt>${name}</dt><dd><code>${sha256}</code></dd></div>`)}</dl>
<details><summary>Configuration (config.json)</summary><pre tabindex="0"><code>${JSON.stringify(config, null, 2)}</code></pre></details>`;
}
